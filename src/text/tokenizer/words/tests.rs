//! What is one token and what is two.

use super::*;
use crate::text::tokenizer_from_json;

fn tokens(tokenizer: &WordTokenizer, text: &str) -> String {
    tokenizer.tokenize(text).unwrap().join("|")
}

fn plain(text: &str) -> String {
    tokens(&WordTokenizer::new(), text)
}

#[test]
fn words_of_any_script_with_apostrophes_inside() {
    assert_eq!(plain("Don\u{2019}t  'quote' O'Neil's rock'n'roll"), "don't|'|quote|'|o'neil's|rock'n'roll");
    assert_eq!(plain("Ёжик, ПРИВЕТ — 東京"), "ёжик|,|привет|—|東京");
    // A combining accent and a devanagari vowel sign belong to the letter before them.
    assert_eq!(plain("cafe\u{301} हिन्दी"), "caf\u{e9}|हिन्दी");
    assert_eq!(tokens(&WordTokenizer::new().nfc(false), "cafe\u{301}s"), "cafe\u{301}s");
    assert_eq!(plain("snake_case well-known a.b"), "snake_case|well|-|known|a|.|b");
    assert_eq!(tokens(&WordTokenizer::new().apostrophes(false), "don't"), "don|'|t");
    assert_eq!(tokens(&WordTokenizer::new().lowercase(false), "Ab @Cd #Ef"), "Ab|@Cd|#Ef");
    assert_eq!(plain(" \t\n\u{a0}\u{200b}\u{feff}\u{0}"), "");
}

#[test]
fn numbers_are_whole_and_part_of_words() {
    assert_eq!(plain("3.5 1,000 10:30 -7 +2 .5 2nd 3G"), "3.5|1,000|10:30|-7|+2|.5|2nd|3g");
    assert_eq!(plain("2.5kg 1.2.3x -.5x .x"), "2|.|5kg|1.2|.|3x|-|.|5x|.|x");
    assert_eq!(plain("1-2, 3. 4% x2 (5)"), "1|-|2|,|3|.|4|%|x2|(|5|)");
    let replaced = WordTokenizer::new().numbers(Special::Replace);
    assert_eq!(tokens(&replaced, "at 10:30, 2nd -3.5 times"), "at|<number>|,|2nd|<number>|times");
    assert_eq!(tokens(&WordTokenizer::new().numbers(Special::Drop), "7 of 9"), "of");
}

#[test]
fn names_addresses_and_tags() {
    let text = "RT @Anna_1: see https://t.co/Ab?x=1. www.site.ru/a, me@site.ru #Первый #1 # @";
    let kept = "rt|@anna_1|:|see|https://t.co/Ab?x=1|.|www.site.ru/a|,|me|@|site|.|ru|#первый|#1|#|@";
    assert_eq!(plain(text), kept);
    let replaced = "rt|<user>|:|see|<url>|.|<url>|,|me|@|site|.|ru|первый|1|#|@";
    assert_eq!(tokens(&WordTokenizer::tweets(), text), replaced);
    let dropped = WordTokenizer::new().names(Special::Drop).urls(Special::Drop).hashtags(Hashtags::Drop);
    assert_eq!(tokens(&dropped, "@a b http://c #d"), "b");
    assert_eq!(tokens(&WordTokenizer::new().hashtags(Hashtags::Mark), "#Go"), "<hashtag>|go");
    assert_eq!(plain("(http://a.b/c)! http:// www. HTTPS://A"), "(|http://a.b/c|)|!|http|:|//|www|.|HTTPS://A");
}

#[test]
fn an_emoji_is_one_token_however_it_is_made() {
    // Skin tone, a family by joiners, a flag of two letters, a keycap, a heart by variation selector.
    let emoji = ["👍🏽", "👨‍👩‍👧", "🇷🇺", "1\u{fe0f}\u{20e3}", "❤\u{fe0f}", "😂", "😂"];
    assert_eq!(plain(&format!("ok{}!", emoji.concat())), format!("ok|{}|!", emoji.join("|")));
    assert_eq!(tokens(&WordTokenizer::new().emoji(false).punctuation(false), "a 😂 b! © …"), "a|b");
}

#[test]
fn faces_are_told_from_brackets_and_addresses() {
    let faces = WordTokenizer::new().emoticons(Special::Replace);
    assert_eq!(
        tokens(&faces, ":) :-)) ;D :( :'( :p :/ <3 (: ):"),
        "<smile>|<smile>|<smile>|<sadface>|<sadface>|<lolface>|<neutralface>|<heart>|<smile>|<sadface>"
    );
    assert_eq!(
        tokens(&faces, "(8 of 9) a:b <30 ftp://x :down"),
        "(|8|of|9|)|a|:|b|<|30|ftp|://|x|:|down".replace("://", ":|//")
    );
    assert_eq!(tokens(&WordTokenizer::new().emoticons(Special::Drop), "ok :-)"), "ok");
}

#[test]
fn repeats_are_shortened() {
    let three = WordTokenizer::new().repeats(3);
    assert_eq!(
        tokens(&three, "SOOOOO soooo!!!!! 1000000 #yeeees нееееет......"),
        "sooo|sooo|!!!|1000000|#yeeees|неееет...".replace("неееет...", "нееет|...")
    );
    assert_eq!(tokens(&WordTokenizer::new().repeats(2), "sooo good"), "soo|good");
    assert_eq!(tokens(&WordTokenizer::new().repeats(0), "aab!!"), "ab|!");
    assert_eq!(plain("!!! ?! ... --"), "!!!|?|!|...|--");
}

#[test]
fn keras_splits_at_its_filter_alone() {
    assert_eq!(tokens(&WordTokenizer::keras(), "It's 3.5% of_U.S. @me…"), "it's|3|5|of|u|s|me…");
}

#[test]
fn settings_are_saved_and_checked_when_read() {
    for tokenizer in
        [WordTokenizer::new(), WordTokenizer::keras(), WordTokenizer::tweets(), WordTokenizer::glove_twitter()]
    {
        let json = tokenizer.to_json();
        assert_eq!(serde_json::from_value::<WordTokenizer>(json["settings"].clone()).unwrap(), tokenizer);
        assert_eq!(tokenizer_from_json(&json).unwrap().to_json(), json);
    }
    let error = |json: &str| tokenizer_from_json(&serde_json::from_str(json).unwrap()).unwrap_err().to_string();
    assert_eq!(error("{}"), "tokenizer: expected a field `kind`, found none");
    assert_eq!(error("[]"), "tokenizer: expected a field `kind`, found none");
    assert_eq!(error(r#"{"kind": "words"}"#), "tokenizer: expected a field `settings`, found none");
    assert!(error(r#"{"kind": "mine"}"#).ends_with("found \"mine\""));
    assert!(error(r#"{"kind": "words", "settings": {"upper": 1}}"#).contains("unknown field `upper`"));
    assert!(error(r#"{"kind": "words", "settings": {"repeats": -1}}"#).contains("settings of a tokenizer for words"));
}
