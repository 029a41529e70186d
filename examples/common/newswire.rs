//! Made-up news wires in eight topics: data for an example that needs no download.
//!
//! Every text opens with a sentence on its topic, as a wire's lead does. It goes on with sentences of which some are on
//! the topic, some are asides on another one, and some could stand in any wire. Companies that buy oil producers and
//! a dollar that moves by tariffs see to it that no single word gives a topic away. A bag of words does not know which
//! sentence came first, so it cannot be right every time (a multilayer perceptron trained on 4,000 texts is in about
//! 93 of 100, votes of the words one by one in 87); a network that reads in order could.

use elman::random::Key;

/// A topic: how many texts in a hundred are on it, and its sentences.
struct Topic {
    name: &'static str,
    share: usize,
    sentences: &'static [&'static str],
}

/// The slots of sentences, and what fills them. `{n}` is a number, `{p}` a percentage.
const SLOTS: &[(&str, &[&str])] = &[
    ("{co}", &["Alder Corp", "Bexley Inc", "Carrow Ltd", "Dunmore Group", "Eastlake Co", "Farrow Industries"]),
    ("{co2}", &["Glenholt Inc", "Harrow Mills", "Inverloch Plc", "Jasper Holdings", "Kestrel Corp", "Lowmoor Co"]),
    ("{land}", &["Brazil", "Canada", "France", "India", "Indonesia", "Japan", "Kenya", "Mexico", "Norway", "Ghana"]),
    ("{land2}", &["Argentina", "Britain", "China", "Egypt", "Italy", "Korea", "Peru", "Spain", "Turkey", "Zambia"]),
    ("{south}", &["Brazil", "India", "Indonesia", "Kenya", "Mexico", "Ghana"]),
    ("{who}", &["the minister", "a spokesman", "the chairman", "an analyst", "a trader", "an official", "a dealer"]),
    ("{when}", &["today", "yesterday", "last week", "this month", "in March", "in June", "in October", "this year"]),
    ("{rose}", &["rose", "fell", "climbed", "slipped", "eased", "jumped", "dropped", "edged up"]),
    ("{good}", &["steel", "timber", "cotton", "paper", "car", "textile", "machinery", "chip"]),
];

const TOPICS: &[Topic] = &[
    Topic {
        name: "earnings",
        share: 30,
        sentences: &[
            "{co} said net profit {rose} to {n} mln dlrs in the quarter",
            "{co} reported earnings of {n} cts a share against {n} cts a year ago",
            "{co} posted a quarterly loss after a charge on its oil business",
            "the board of {co} declared a dividend of {n} cts a share payable {when}",
            "revenues at {co} {rose} {p} pct while operating income {rose} {p} pct",
            "{co} expects higher results for the year as {good} prices recover",
            "results at {co} were hurt by the weaker dollar and by costs of the takeover",
            "sales at the mining unit of {co} {rose} to {n} mln dlrs on record gold output",
        ],
    },
    Topic {
        name: "acquisitions",
        share: 22,
        sentences: &[
            "{co} agreed to buy {co2} for {n} mln dlrs in cash and stock",
            "{co} raised its stake in {co2} to {p} pct of the shares",
            "shareholders of {co2} approved the merger with {co} {when}",
            "{co} launched a tender offer of {n} dlrs a share for {co2}",
            "{co} said it completed the sale of its {good} unit to {co2}",
            "the takeover of {co2} by {co} awaits approval of the regulators",
            "{co} will acquire an oil and gas producer from {co2} for {n} mln dlrs",
            "{co2} rejected the bid by {co} as too low and said net profit would grow",
        ],
    },
    Topic {
        name: "crude",
        share: 12,
        sentences: &[
            "crude oil prices {rose} by {n} cts a barrel {when}",
            "{land} will cut oil output to {n} thousand barrels a day, {who} said",
            "OPEC ministers met {when} to discuss quotas and the price of crude",
            "a refinery in {land} reopened and will process {n} thousand barrels a day",
            "{co} found oil in an offshore well near {land}",
            "energy exports of {land} {rose} {p} pct as producers kept to the quota",
            "stocks of heating oil and gasoline {rose} {p} pct, {who} said",
        ],
    },
    Topic {
        name: "grain",
        share: 10,
        sentences: &[
            "{land} bought {n} thousand tonnes of wheat from {land2} for shipment {when}",
            "the maize harvest in {land} {rose} {p} pct because of dry weather",
            "farmers in {land} planted less soybeans and more barley {when}",
            "{who} put the grain crop of {land} at {n} mln tonnes",
            "export subsidies for wheat flour to {land2} were offered {when}",
            "grain stocks in {land} {rose} to {n} thousand tonnes, {who} said",
            "frost and rain delayed the crop and producers of {land} held back sales",
        ],
    },
    Topic {
        name: "money-fx",
        share: 9,
        sentences: &[
            "the dollar {rose} against the yen and the mark {when}",
            "the central bank of {land} bought dollars to support its currency, dealers said",
            "the Bank of {land} gave the money market {n} mln in assistance",
            "finance ministers agreed {when} that exchange rates should be stable",
            "the currency of {land} {rose} {p} pct on the deficit figures",
            "overnight interest rates {rose} to {p} pct as liquidity was short, {who} said",
            "the dollar {rose} after talk of tariffs between {land} and {land2}",
        ],
    },
    Topic {
        name: "trade",
        share: 8,
        sentences: &[
            "the trade deficit of {land} {rose} to {n} mln dlrs {when}",
            "{land} will impose tariffs on {good} imports from {land2}",
            "{who} warned that sanctions against {land2} could start a trade war",
            "exports of {land} {rose} {p} pct while imports {rose} {p} pct",
            "{land} and {land2} signed a pact to open their {good} markets",
            "negotiators discussed import quotas for {good} makers and for wheat {when}",
            "the surplus of {land} with {land2} {rose} as the dollar {rose}",
        ],
    },
    Topic {
        name: "coffee",
        share: 5,
        sentences: &[
            "coffee prices {rose} as producers failed to agree on export quotas",
            "{south} exported {n} thousand bags of coffee {when}",
            "roasters expect the coffee crop of {south} to be {p} pct smaller after frost",
            "the coffee board of {south} suspended sales until prices recover, {who} said",
            "consumers and producers of coffee meet {when} on a new pact",
            "beans from {south} were offered at {n} dlrs a tonne",
        ],
    },
    Topic {
        name: "gold",
        share: 4,
        sentences: &[
            "gold {rose} to {n} dlrs an ounce in early trading {when}",
            "{co} began work on a gold mine in {land} with reserves of {n} thousand ounces",
            "bullion {rose} as the dollar {rose}, {who} said",
            "drilling in {land} found ore of {p} grams a tonne",
            "the central bank of {land} sold gold coins and silver bars {when}",
            "miners in {land} went on strike and output of bullion {rose} {p} pct",
        ],
    },
];

/// Sentences that could stand in any wire.
const ANYWHERE: &[&str] = &[
    "{who} said {when} that no further details were available",
    "prices {rose} {p} pct from a year ago",
    "{who} declined to comment on the report",
    "analysts said the market had expected the news",
    "the figures compare with {n} mln dlrs in the year before",
    "the announcement was made {when} in a statement to the exchange",
    "{who} told reporters that output and exports were lower than planned",
    "shares of {co} {rose} {p} pct {when}",
    "the government of {land} is to decide {when}",
    "dealers said trading was quiet ahead of the talks",
];

/// Of a hundred sentences after the first, so many are on the topic,
const ON_TOPIC: usize = 46;

/// and so many are asides.
const ASIDES: usize = 17;

const NAMES: [&str; TOPICS.len()] = {
    let mut names = [""; TOPICS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = TOPICS[i].name;
        i += 1;
    }
    names
};

/// The names of the topics: label `i` is the name at `i`. They are far from equally frequent: of 100 texts about 30
/// are on the first and 4 on the last.
pub(crate) fn topics() -> &'static [&'static str] {
    &NAMES
}

/// Makes labelled `texts`. Text `i` depends on `seed` and `i` alone: more texts begin with the same ones.
pub(crate) fn generate(texts: usize, seed: u64) -> Vec<(u32, String)> {
    let key = Key::new(seed).named("newswire");
    (0..texts as u64).map(|i| wire(&mut Draws { key: key.fold(i), next: 0 })).collect()
}

fn wire(draws: &mut Draws) -> (u32, String) {
    let topic = draws.topic();
    // One text has one other topic for its asides, so that they can outweigh the topic itself.
    let aside = draws.topic();
    let mut text = fill(draws.pick(TOPICS[topic].sentences), draws);
    for _ in 0..2 + draws.below(4) {
        let sentence = match draws.below(100) {
            n if n < ON_TOPIC => draws.pick(TOPICS[topic].sentences),
            n if n < ON_TOPIC + ASIDES => draws.pick(TOPICS[aside].sentences),
            _ => draws.pick(ANYWHERE),
        };
        text.push_str(". ");
        text.push_str(&fill(sentence, draws));
    }
    text.push('.');
    (topic as u32, text)
}

/// Puts something into every slot of a sentence, and a capital at its beginning.
fn fill(sentence: &str, draws: &mut Draws) -> String {
    let mut out = String::new();
    let mut rest = sentence;
    while let Some((before, slot, after)) = next_slot(rest) {
        out.push_str(before);
        match slot {
            "{n}" => out.push_str(&(1 + draws.below(900)).to_string()),
            "{p}" => out.push_str(&format!("{}.{}", draws.below(40), draws.below(10))),
            _ => {
                out.push_str(SLOTS.iter().find(|(name, _)| *name == slot).map_or(slot, |(_, words)| draws.pick(words)));
            }
        }
        rest = after;
    }
    out.push_str(rest);
    let end = out.chars().next().map_or(0, char::len_utf8);
    out[..end].to_uppercase() + &out[end..]
}

/// What comes before the next slot, the slot, and what comes after it.
fn next_slot(sentence: &str) -> Option<(&str, &str, &str)> {
    let start = sentence.find('{')?;
    let end = start + sentence[start..].find('}')? + 1;
    Some((&sentence[..start], &sentence[start..end], &sentence[end..]))
}

/// The draws of one text, in order.
struct Draws {
    key: Key,
    next: u64,
}

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        self.key.below(self.next, bound)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// A topic, by its share.
    fn topic(&mut self) -> usize {
        let mut ticket = self.below(TOPICS.iter().map(|topic| topic.share).sum());
        TOPICS.iter().position(|topic| ticket.checked_sub(topic.share).map(|left| ticket = left).is_none()).unwrap_or(0)
    }
}
