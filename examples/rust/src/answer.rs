//! What the service answers.

/// Gives the body of the answer to the request number `count` for `path`.
pub fn answer(path: &str, count: u64) -> String {
    let path: String = path.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').collect();
    let mut digits = itoa::Buffer::new();
    let greeting = include_str!("greeting.txt").trim();
    format!("{{\"hello\":\"{greeting}\",\"path\":\"{path}\",\"count\":{}}}\n", digits.format(count))
}
