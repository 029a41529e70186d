//! placeholder until merged
use super::corpus::Corpus;
/// corpus
pub fn corpus() -> Corpus {
    let t: Vec<(u32, String)> = (0..100).map(|i| (i % 2, "good bad film".to_string())).collect();
    Corpus { train: t.clone(), valid: t.clone(), test: t, labels: vec!["negative".into(), "positive".into()] }
}
/// tweets
pub fn tweets() -> Corpus {
    let t: Vec<(u32, String)> = (0..100).map(|i| (i % 3, "good bad film".to_string())).collect();
    Corpus {
        train: t.clone(),
        valid: t.clone(),
        test: t,
        labels: vec!["negative".into(), "neutral".into(), "positive".into()],
    }
}
