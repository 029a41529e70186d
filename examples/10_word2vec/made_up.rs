//! Sentences about cities and countries, so that the program has something to learn without a file. A city and its country share
//! a river and a dish; cities share what is said of cities, and countries what is said of countries: so the vectors answer what
//! is to France as Rome is to Italy. Some cities have names of two words, for `--phrases`.

use elman::Key;

/// City, country, river, dish.
pub const PLACES: [[&str; 4]; 12] = [
    ["paris", "france", "seine", "quiche"],
    ["rome", "italy", "tiber", "gnocchi"],
    ["london", "england", "thames", "crumpets"],
    ["vienna", "austria", "danube", "strudel"],
    ["cairo", "egypt", "nile", "koshari"],
    ["lisbon", "portugal", "tagus", "caldo"],
    ["warsaw", "poland", "vistula", "pierogi"],
    ["dublin", "ireland", "liffey", "colcannon"],
    ["seoul", "korea", "han", "kimchi"],
    ["new york", "america", "hudson", "burgers"],
    ["new delhi", "india", "yamuna", "biryani"],
    ["buenos aires", "argentina", "rosario", "asado"],
];

const OF_CITIES: [&str; 5] = [
    "{} is a crowded city where people ate {dish} near the {river}",
    "the mayor of {} opened a new bridge over the {river}",
    "trams and streets in {} smell of {dish}",
    "we walked through the streets of {} along the {river}",
    "the museum in {} sold {dish} to visitors",
];
const OF_COUNTRIES: [&str; 5] = [
    "{} is a large land and its farmers love {dish}",
    "the parliament of {} passed a law about the {river}",
    "the army and the border of {} lie beyond the {river}",
    "villages all over {} cook {dish} in summer",
    "the economy of {} exports {dish} and flags",
];
const SENTENCES: u64 = 40_000;

/// All of them, always the same.
pub fn sentences() -> impl Iterator<Item = String> {
    let key = Key::new(0).named("cities and countries");
    (0..SENTENCES).map(move |i| {
        let draw = |part: u64, n: usize| key.fold(part).below(i, n);
        let [city, country, river, dish] = PLACES[draw(0, PLACES.len())];
        let (name, patterns) = if draw(1, 2) == 0 { (city, OF_CITIES) } else { (country, OF_COUNTRIES) };
        let pattern = patterns[draw(2, patterns.len())];
        pattern.replace("{}", name).replace("{river}", river).replace("{dish}", dish)
    })
}
