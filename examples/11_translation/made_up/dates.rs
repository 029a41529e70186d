//! Dates of the twentieth and twenty-first centuries, in English and Russian words and as ISO 8601 has them.

use super::Pair;
use elman::Key;

const FIRST_YEAR: usize = 1900;
const YEARS: usize = 200;

const DAYS: [usize; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const MONTHS_RUSSIAN: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];

const UNITS: [&str; 20] = [
    "oh",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
/// First to nineteenth, and twentieth and thirtieth.
const ORDINALS: [&str; 19] = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];
const TENTHS: [&str; 2] = ["twentieth", "thirtieth"];

/// The stems of first to nineteenth, to which endings come: `-ое` of a day, `-ого` of the day or year of something.
const STEMS: [&str; 19] = [
    "перв",
    "втор",
    "трет",
    "четвёрт",
    "пят",
    "шест",
    "седьм",
    "восьм",
    "девят",
    "десят",
    "одиннадцат",
    "двенадцат",
    "тринадцат",
    "четырнадцат",
    "пятнадцат",
    "шестнадцат",
    "семнадцат",
    "восемнадцат",
    "девятнадцат",
];
const TENS_RUSSIAN: [&str; 10] =
    ["", "", "двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто"];
/// The stems of twentieth to ninetieth.
const STEMS_OF_TENS: [&str; 10] =
    ["", "", "двадцат", "тридцат", "сороков", "пятидесят", "шестидесят", "семидесят", "восьмидесят", "девяност"];

/// How many dates there are.
pub fn all() -> usize {
    (FIRST_YEAR..FIRST_YEAR + YEARS).map(|year| DAYS.iter().sum::<usize>() + usize::from(is_leap(year))).sum()
}

/// A date by its number, in words that are drawn.
pub fn pair(number: usize, key: Key) -> Pair {
    let (year, month, day) = date(number);
    let words = if key.below(0, 2) == 0 { english(year, month, day, key) } else { russian(year, month, day, key) };
    (words, format!("{year}-{:02}-{:02}", month + 1, day))
}

fn is_leap(year: usize) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// The year, the month from 0 and the day from 1.
fn date(mut number: usize) -> (usize, usize, usize) {
    for year in FIRST_YEAR.. {
        for (month, days) in DAYS.iter().enumerate() {
            let days = days + usize::from(month == 1 && is_leap(year));
            if number < days {
                return (year, month, number + 1);
            }
            number -= days;
        }
    }
    (FIRST_YEAR, 0, 1)
}

fn english(year: usize, month: usize, day: usize, key: Key) -> String {
    let ordinal = match day {
        1..20 => ORDINALS[day - 1].to_string(),
        20 | 30 => TENTHS[day / 10 - 2].to_string(),
        _ => format!("{} {}", TENS[day / 10], ORDINALS[day % 10 - 1]),
    };
    let (century, rest) = (year / 100, year % 100);
    let two = |number: usize| match number {
        0..20 => UNITS[number].to_string(),
        _ if number.is_multiple_of(10) => TENS[number / 10].to_string(),
        _ => format!("{} {}", TENS[number / 10], UNITS[number % 10]),
    };
    let year = match (century, rest) {
        (20, 0) => "two thousand".to_string(),
        (20, 1..10) if key.below(1, 2) == 0 => format!("two thousand and {}", two(rest)),
        (20, 1..10) => format!("two thousand {}", two(rest)),
        (_, 0) => format!("{} hundred", two(century)),
        (_, 1..10) => format!("{} oh {}", two(century), two(rest)),
        _ => format!("{} {}", two(century), two(rest)),
    };
    let month = MONTHS[month];
    match key.below(2, 3) {
        0 => format!("the {ordinal} of {month} {year}"),
        1 => format!("{month} the {ordinal} {year}"),
        _ => format!("{month} {ordinal} in {year}"),
    }
}

fn russian(year: usize, month: usize, day: usize, key: Key) -> String {
    // `третье`, `третьего`, and else `первое`, `первого`.
    let ending = |number: usize, of: bool| match (number, of) {
        (3, false) => "ье",
        (3, true) => "ьего",
        (_, false) => "ое",
        (_, true) => "ого",
    };
    let ordinal = |number: usize, of: bool| match number {
        1..20 => format!("{}{}", STEMS[number - 1], ending(number, of)),
        _ if number.is_multiple_of(10) => format!("{}{}", STEMS_OF_TENS[number / 10], ending(number, of)),
        _ => {
            let (tens, unit) = (TENS_RUSSIAN[number / 10], number % 10);
            format!("{tens} {}{}", STEMS[unit - 1], ending(unit, of))
        }
    };
    let year = match (year / 100, year % 100) {
        (19, 0) => "тысяча девятисотого".to_string(),
        (19, rest) => format!("тысяча девятьсот {}", ordinal(rest, true)),
        (_, 0) => "двухтысячного".to_string(),
        (_, rest) => format!("две тысячи {}", ordinal(rest, true)),
    };
    let (day, month) = (ordinal(day, key.below(3, 2) == 0), MONTHS_RUSSIAN[month]);
    if key.below(4, 2) == 0 { format!("{day} {month} {year} года") } else { format!("{day} {month} {year}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        // From 1900-01-01 to 2099-12-31: 200 years with 49 leap days, as 1900 has none.
        assert_eq!(all(), 200 * 365 + 49);
        assert_eq!([0, 58, 59, all() - 1].map(date), [(1900, 0, 1), (1900, 1, 28), (1900, 2, 1), (2099, 11, 31)]);
        assert_eq!(date(100 * 365 + 24 + 59), (2000, 1, 29));
    }

    #[test]
    fn dates_in_words_are_as_people_say_them() {
        let all_of = |write: fn(usize, usize, usize, Key) -> String, date: (usize, usize, usize)| {
            let mut texts: Vec<String> = (0..64).map(|key| write(date.0, date.1, date.2, Key::new(key))).collect();
            texts.sort();
            texts.dedup();
            texts
        };
        let texts = all_of(english, (1998, 2, 23));
        let expected = [
            "march the twenty third nineteen ninety eight",
            "march twenty third in nineteen ninety eight",
            "the twenty third of march nineteen ninety eight",
        ];
        assert_eq!(texts, expected);
        assert!(all_of(english, (2005, 0, 30)).contains(&"the thirtieth of january two thousand and five".into()));
        assert!(all_of(english, (1907, 0, 1)).contains(&"january the first nineteen oh seven".into()));
        assert!(all_of(english, (1900, 0, 20)).contains(&"january twentieth in nineteen hundred".into()));
        let texts = all_of(russian, (1998, 2, 23));
        let expected = [
            "двадцать третье марта тысяча девятьсот девяносто восьмого",
            "двадцать третье марта тысяча девятьсот девяносто восьмого года",
            "двадцать третьего марта тысяча девятьсот девяносто восьмого",
            "двадцать третьего марта тысяча девятьсот девяносто восьмого года",
        ];
        assert_eq!(texts, expected);
        assert!(all_of(russian, (2000, 4, 30)).contains(&"тридцатое мая двухтысячного года".into()));
        assert!(all_of(russian, (2013, 4, 1)).contains(&"первого мая две тысячи тринадцатого года".into()));
        assert!(all_of(russian, (1940, 4, 10)).contains(&"десятое мая тысяча девятьсот сорокового".into()));
    }
}
