//! Sizes as people write them: `64K`, `16M`, `1G`, `2T`.

/// Reads a size in bytes; for clap, so the error is a text.
pub fn parse(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is no size; write 512K, 16M or 1G");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit.to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.parse().ok().and_then(|n: usize| n.checked_mul(factor)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_number_with_its_unit() {
        assert_eq!(parse("64K"), Ok(64 << 10));
        assert_eq!(parse("16m"), Ok(16 << 20));
        assert_eq!(parse("1G"), Ok(1 << 30));
        assert_eq!(parse("70000"), Ok(70_000));
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in ["", "M", "16 M", "-1", "1.5M", "16X", "99999999999999999999G"] {
            assert!(parse(text).is_err_and(|e| e.contains("16M")), "{text}");
        }
    }
}
