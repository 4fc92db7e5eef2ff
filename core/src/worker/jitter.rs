//! Spans moved a little at random, so that what began together does not come back together.

/// `span_ms` moved by up to ±10 %, as chosen by the 16 random bits of `draw`.
pub fn jittered(span_ms: u64, draw: u16) -> u64 {
    let tenth = span_ms / 10;
    span_ms - tenth + 2 * tenth * u64::from(draw) / u64::from(u16::MAX)
}

/// 16 bits from the operating system's generator: nothing a forked child could share with its parent.
pub fn draw() -> u16 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    u16::from_le_bytes([bytes[0], bytes[1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_tenth() {
        assert_eq!((jittered(1_000, 0), jittered(1_000, u16::MAX)), (900, 1_100));
        assert_eq!(jittered(5, 12_345), 5);
    }
}
