//! Translators: one file that translates as before, batches, beams, unknown words, what was looked at, and mistakes.

use elman::checkpoint::Extras;
use elman::data::Inputs;
use elman::decode::{Decoder, Stepper};
use elman::layers::{Dense, Embedding, Graph, Gru};
use elman::pipeline::{AttentionForm, Codec, EncoderDecoder, Languages, RecurrentCell, TranslationOptions, Translator};
use elman::{Backend, Element, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

const SOURCES: [&str; 5] = ["ein hund", "", "ein hund sieht eine katze", "katze", "die  katze sieht"];

fn languages() -> Languages {
    let source = Codec::words(["ein hund sieht die katze"], usize::MAX, 1).unwrap();
    let target = Codec::words(["a dog sees the cat and so on"], usize::MAX, 1).unwrap();
    Languages { longest: 8, ..Languages::new(source, target) }
}

fn network() -> EncoderDecoder {
    EncoderDecoder::new(5, 6)
}

/// Networks of every form.
fn networks() -> [EncoderDecoder; 6] {
    [
        network().dropout(0.5),
        network().attention(AttentionForm::Luong).tied(),
        network().attention(AttentionForm::None).layers(2).tied(),
        network().cell(RecurrentCell::Lstm).layers(2).dropout(0.1),
        network().input_feeding().tied(),
        network().cell(RecurrentCell::Lstm).attention(AttentionForm::Luong).input_feeding().layers(2),
    ]
}

fn model<B: Backend>(b: &B, network: EncoderDecoder) -> Model<B> {
    let languages = languages();
    let graph = network.graph(languages.source.width(), languages.target.width()).unwrap();
    let mut model = graph.build(b, languages.spec().unwrap(), 3).unwrap();
    // First weights are small, and words would all be alike.
    for param in model.params_mut() {
        let numbers: Vec<f64> = param.tensor().to_vec().unwrap().iter().map(|x| 4.0 * x.to_f64()).collect();
        let array = b.upload(numbers.into_iter().map(B::Elem::from_f64).collect(), param.shape()).unwrap();
        param.set_value(array).unwrap();
    }
    model
}

fn translator<B: Backend>(b: &B, network: EncoderDecoder) -> Translator<B> {
    Translator::new(model(b, network), languages()).unwrap()
}

/// What the best word each time makes of a text, by a decoder and nothing else.
fn greedy<B: Backend>(model: &Model<B>, languages: &Languages, text: &str) -> Vec<u32> {
    let source = Inputs::indices(&[languages.source.encode(text).unwrap()]).unwrap();
    let mut decoder = Decoder::with_context(model, "target", &Inputs::record([("source", source)]).unwrap()).unwrap();
    let (target, mut words) = (&languages.target, vec![languages.target.begin()]);
    while words.len() <= languages.longest && words.last() != Some(&target.end()) {
        let scores = decoder.step(&words[words.len() - 1..]).unwrap();
        let may_follow = |&word: &usize| word != 0 && word as u32 != target.begin();
        let best = (0..target.width()).filter(may_follow);
        let best = best.reduce(|a, b| if scores.row(0)[b] > scores.row(0)[a] { b } else { a }).unwrap();
        words.push(best as u32);
    }
    words.into_iter().skip(1).filter(|&word| word != target.end()).collect()
}

#[test]
fn a_file_is_all_that_translating_needs() {
    fn check<B: Backend>(b: &B) {
        let folder = tempfile::tempdir().unwrap();
        for (number, network) in networks().into_iter().enumerate() {
            let options = TranslationOptions::new().beam(1);
            let made = translator(b, network).options(options.clone());
            let path = folder.path().join(format!("{number}.safetensors"));
            made.save(&path).unwrap();
            let loaded = Translator::load(b, &path).unwrap().options(options);
            let found = made.translate_all(&SOURCES).unwrap();
            assert_eq!(loaded.translate_all(&SOURCES).unwrap(), found);
            for (text, translation) in SOURCES.iter().zip(&found).filter(|(text, _)| !text.is_empty()) {
                let words = greedy(made.model(), made.languages(), text);
                assert_eq!(translation.text, made.languages().target.decode(&words).unwrap(), "{network:?}: {text}");
            }
            assert_eq!((found[1].text.as_str(), found[1].tokens.len()), ("", 0));
        }
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

#[test]
fn batches_and_threads_change_nothing() {
    fn check<B: Backend + Send + Sync>(b: &B) {
        for network in networks() {
            let of = |batch| translator(b, network).options(TranslationOptions::new().beam(3).batch(batch).attention());
            let (one, all) = (of(1), of(32));
            let together = all.translate_all(&SOURCES).unwrap();
            let by_thread = std::thread::scope(|scope| {
                let each = SOURCES.map(|text| scope.spawn(|| one.translate(text).unwrap()));
                each.map(|thread| thread.join().unwrap())
            });
            for (a, b) in together.iter().zip(&by_thread) {
                assert_eq!((&a.text, &a.tokens, &a.source), (&b.text, &b.tokens, &b.source), "{network:?}");
                // Sums in another order.
                assert!((a.score - b.score).abs() < 1e-5);
                assert_eq!(a.attention.len(), b.attention.len());
                for (a, b) in a.attention.iter().flatten().zip(b.attention.iter().flatten()) {
                    assert!((a - b).abs() < 1e-5);
                }
            }
        }
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

#[test]
fn what_was_looked_at_is_a_share_of_each_word_that_was_read() {
    fn check<B: Backend>(b: &B) {
        for network in networks() {
            let translator = translator(b, network).options(TranslationOptions::new().n_best(2).attention());
            for best in translator.n_best_all(&SOURCES).unwrap().into_iter().flatten().filter(|t| !t.source.is_empty())
            {
                let has_attention = !best.attention.is_empty();
                assert_eq!(has_attention, network != networks()[2] && !best.tokens.is_empty());
                assert!(!has_attention || best.attention.len() == best.tokens.len());
                for weights in &best.attention {
                    assert_eq!(weights.len(), best.source.len());
                    assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                }
            }
        }
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

#[test]
fn the_best_come_first_and_are_different() {
    let translator = translator(&Reference::<f32>::new(), network());
    let translator = translator.options(TranslationOptions::new().beam(6).n_best(4));
    for (text, best) in SOURCES.iter().zip(translator.n_best_all(&SOURCES).unwrap()) {
        assert_eq!(best.len(), if text.is_empty() { 1 } else { 4 });
        assert!(best.windows(2).all(|pair| pair[0].score >= pair[1].score && pair[0].text != pair[1].text));
        assert!(best.iter().all(|one| one.tokens.len() <= 8));
    }
    let short = translator.options(TranslationOptions::new().longest(2));
    assert!(short.translate_all(&SOURCES).unwrap().iter().all(|one| one.tokens.len() <= 2));
}

#[test]
fn unknown_words_are_written_left_out_or_replaced_by_what_was_looked_at() {
    fn check<B: Backend>(b: &B) {
        let mut model = model(b, network());
        let bias = model.params_mut().iter_mut().find(|param| param.name() == "words.bias").unwrap();
        let mut numbers = vec![B::Elem::from_f64(0.0); languages().target.width()];
        numbers[1] = B::Elem::from_f64(50.0);
        bias.set_value(b.upload(numbers, bias.shape()).unwrap()).unwrap();
        let options = TranslationOptions::new().beam(2);
        let translator = Translator::new(model, languages()).unwrap().options(options.clone());
        let written = translator.translate(SOURCES[2]).unwrap();
        assert_eq!(written.text, ["<unk>"; 8].join(" "));
        let translator = translator.options(options.clone().never_unknown());
        let without = translator.translate(SOURCES[2]).unwrap();
        assert!(!without.text.contains("<unk>") && !without.text.is_empty());
        let translator = translator.options(options.replace_unknown().attention());
        for translation in translator.translate_all(&SOURCES).unwrap() {
            for (word, weights) in translation.tokens.iter().zip(&translation.attention) {
                let greatest = weights.iter().copied().fold(0.0, f32::max);
                let at = weights.iter().position(|&weight| weight == greatest).unwrap();
                assert_eq!(word, &translation.source[at]);
            }
            assert_eq!(translation.text, translation.tokens.join(" "));
            assert!(translation.source.is_empty() || translation.tokens.len() == 8);
        }
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

#[test]
fn a_pair_teaches_each_word_after_those_before_it() {
    let languages = languages();
    let data = languages.dataset(&[("ein hund", "a dog"), ("x", "")]).unwrap();
    let target = &languages.target;
    let Inputs::Record(parts) = data.inputs() else { panic!("no record") };
    let word = |word| target.encode(word).unwrap()[0];
    let before = [vec![target.begin(), word("a"), word("dog")], vec![target.begin()]];
    assert_eq!(parts.get("target").unwrap(), &Inputs::indices(&before).unwrap());
    let next = [vec![word("a"), word("dog"), target.end()], vec![target.end()]];
    assert_eq!(data.targets(), &elman::data::Targets::classes_per_step(&next).unwrap());
    let error = languages.dataset(&[("ein", "a"), (" ", "b")]).unwrap_err().to_string();
    assert_eq!(error, "pair 1: expected a source of at least one token, found none");
}

#[test]
fn texts_come_back_from_their_numbers() {
    let texts = ["die katze schläft", "eine  größe katze sah die\tкошка 猫", "katze"];
    let byte_pairs = Codec::byte_pairs(texts, 300).unwrap();
    assert!(byte_pairs.encode("katze").unwrap().len() < 5 && byte_pairs.unknown().is_none());
    for codec in [Codec::words(texts, 100, 1).unwrap(), Codec::characters(texts).unwrap(), byte_pairs.clone()] {
        let json = serde_json::to_string(&codec).unwrap();
        let again: Codec = serde_json::from_str(&json).unwrap();
        for text in texts.iter().chain(&["katze die"]) {
            let numbers = codec.encode(text).unwrap();
            assert_eq!(again.encode(text).unwrap(), numbers);
            let expected = if codec.unit() == "word" {
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            } else {
                text.to_string()
            };
            assert_eq!(codec.decode(&numbers).unwrap(), expected, "{}", codec.unit());
            assert!(numbers.iter().all(|&number| number < codec.begin()) && codec.end() as usize == codec.width() - 1);
            assert_eq!(codec.tokens(text).unwrap().len(), numbers.len());
        }
    }
    // Nothing is unknown to bytes.
    assert_eq!(byte_pairs.decode(&byte_pairs.encode("ÿ🦀").unwrap()).unwrap(), "ÿ🦀");
    let words = Codec::words(["a a b", "a b c"], 100, 2).unwrap().lowercase();
    assert_eq!((words.encode("A c B").unwrap(), words.width()), (vec![2, 1, 3], 6));
    assert!(Codec::byte_pairs(texts, 256).is_err() && Codec::byte_pairs([" "], 300).is_err());
    assert!(Codec::words([""], 100, 1).is_err());
}

#[test]
fn what_is_no_translator_is_refused() {
    let b = Reference::<f32>::new();
    let refused =
        |model: Model<Reference<f32>>, languages: Languages| Translator::new(model, languages).unwrap_err().to_string();
    let reader = Graph::new()
        .node("words", Embedding::new(9, 4), "input")
        .node("read", Gru::new(4).return_sequences(), "words")
        .node("next", Dense::new(9), "read")
        .output("next");
    let reader = reader.build(&b, Spec::Indices(None), 0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    reader.save(&path).unwrap();
    let error = Translator::load(&b, &path).unwrap_err().to_string();
    assert!(error.contains("expected the file of a translator, found a model without"), "{error}");
    assert!(refused(reader, languages()).starts_with("translator: expected a model that takes `source` and `target`"));
    let other = Languages { source: languages().target, ..languages() };
    assert!(refused(model(&b, network()), other).starts_with("translator: source: expected 12, as the codec has"));
    let other = Languages { target: languages().source, ..languages() };
    assert!(refused(model(&b, network()), other).starts_with("translator: outputs: expected 9"));
    let mut broken = model(&b, network());
    let nan = b.fill(broken.params()[0].shape(), f64::NAN).unwrap();
    broken.params_mut()[0].set_value(nan).unwrap();
    assert!(refused(broken, languages()).contains("the training diverged"));

    // A checkpoint's file is one, too.
    let made = model(&b, network());
    made.save_with(&path, &languages().extras().unwrap()).unwrap();
    assert!(Translator::load(&b, &path).is_ok());
    let later = Extras::new().with("pipeline", &serde_json::json!({ "kind": "translator", "version": 99 })).unwrap();
    made.save_with(&path, &later).unwrap();
    assert!(Translator::load(&b, &path).unwrap_err().to_string().contains("version 99"));

    let built = |network: EncoderDecoder| network.graph::<Reference<f32>>(9, 12).unwrap_err().to_string();
    for rate in [-0.1, 1.0, f64::NAN] {
        assert!(built(network().dropout(rate)).contains("expected a number in [0, 1)"), "{rate}");
    }
    let none = built(network().layers(0));
    assert!(none.ends_with("layers: expected at least 1 on either side, found 0"), "{none}");

    let searched = |options| {
        let translator = translator(&b, network().attention(AttentionForm::None)).options(options);
        translator.translate("ein hund").unwrap_err().to_string()
    };
    assert!(searched(TranslationOptions::new().beam(0)).contains("width"));
    assert!(searched(TranslationOptions::new().n_best(6)).contains("n_best"));
    assert!(searched(TranslationOptions::new().longest(0)).contains("longest"));
    assert!(searched(TranslationOptions::new().batch(0)).starts_with("translator: batch"));
}

#[test]
fn what_is_looked_at_in_parts_is_that_of_one_pass() {
    let b = Reference::<f32>::new();
    let of = |batch| {
        let options = TranslationOptions::new().n_best(5).longest(100).batch(batch).attention();
        translator(&b, network()).options(options)
    };
    let texts: Vec<String> = (0..10).map(|text| "ein hund sieht die ".repeat(30 - text)).collect();
    // Those of one text are few enough for one pass, those of all are not.
    let weights = |best: &[elman::pipeline::Translation]| {
        let most = best.iter().map(|best| best.tokens.len() + 1).max().unwrap_or(0);
        best.len() * most * best[0].source.len()
    };
    let (one, all) = (of(1).n_best_all(&texts).unwrap(), of(32).n_best_all(&texts).unwrap());
    assert!(
        one.iter().all(|best| weights(best) <= 1 << 16)
            && all.iter().map(|best| weights(best)).sum::<usize>() > 1 << 16
    );
    for (a, b) in one.iter().flatten().zip(all.iter().flatten()) {
        assert_eq!((&a.text, a.attention.len()), (&b.text, b.tokens.len()));
        for (a, b) in a.attention.iter().flatten().zip(b.attention.iter().flatten()) {
            // Sums in another order.
            assert!((a - b).abs() < 1e-5);
        }
    }
}

#[test]
fn options_are_checked_whatever_the_texts_are() {
    fn check<B: Backend>(b: &B) {
        let searched = |options, attention| {
            let translator = translator(b, network().attention(attention)).options(options);
            ["", "ein hund"].map(|text| translator.translate(text).unwrap_err().to_string())
        };
        let none = AttentionForm::None;
        for (options, attention, expected) in [
            (TranslationOptions::new().replace_unknown(), none, "translator: replace_unknown: expected a network with"),
            (TranslationOptions::new().coverage_penalty(0.2), none, "translator: coverage_penalty: expected a network"),
            (
                TranslationOptions::new().coverage_penalty(f64::NAN),
                AttentionForm::Luong,
                "translator: coverage_penalty: expected a finite number of at least 0, found NaN",
            ),
            (
                TranslationOptions::new().coverage_penalty(-0.1),
                AttentionForm::Luong,
                "translator: coverage_penalty: expected a finite",
            ),
            (
                TranslationOptions::new().coverage_penalty(f64::INFINITY),
                AttentionForm::Luong,
                "translator: coverage_penalty: expected a finite",
            ),
            (TranslationOptions::new().coverage_penalty(0.1).n_best(0), AttentionForm::Luong, "beam, n_best"),
            (
                TranslationOptions::new().beam(usize::MAX),
                AttentionForm::Luong,
                "beam, width: expected at least 1, at most",
            ),
            (TranslationOptions::new().batch(0), none, "translator: batch: expected at least 1 text"),
        ] {
            for found in searched(options, attention) {
                assert!(found.starts_with(expected), "{expected}: {found}");
            }
        }
        for network in networks().into_iter().filter(|&network| network != networks()[2]) {
            let options = TranslationOptions::new().coverage_penalty(0.2).replace_unknown();
            assert!(translator(b, network).options(options).translate_all(&SOURCES).is_ok(), "{network:?}");
        }
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}
