macros::hello!();

#[cfg(test)]
mod tests {
    #[test]
    fn greets() {
        assert_eq!(super::hello(), "hello");
    }
}
