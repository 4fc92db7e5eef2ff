//! How long a failed job waits before it runs again: one pure function.

/// The wait after the first failed run, in milliseconds.
const FIRST_MS: u64 = 1_000;
/// The longest wait before jitter, in milliseconds.
const LONGEST_MS: u64 = 3_600_000;

/// The wait before the next run: 1 s doubled for each retry already spent, at most 1 h, then moved by up to ±10 %
/// so that jobs that failed together do not come back together.
///
/// `spent`: retries spent before this failure. `draw`: any 16 random bits; they choose the jitter.
/// Returns milliseconds.
pub fn delay_ms(spent: u32, draw: u16) -> u64 {
    let doublings = spent.min(LONGEST_MS.ilog2());
    let wait = (FIRST_MS << doublings).min(LONGEST_MS);
    jittered(wait, draw)
}

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
    fn doubles_from_one_second_to_one_hour() {
        let middle = |spent| delay_ms(spent, u16::MAX / 2).div_ceil(100) * 100;
        assert_eq!([0, 1, 2, 3].map(middle), [1_000, 2_000, 4_000, 8_000]);
        assert_eq!([12, 60, u32::MAX].map(middle), [3_600_000; 3]);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        assert_eq!(delay_ms(0, 0), 900);
        assert_eq!(delay_ms(0, u16::MAX), 1_100);
        assert_eq!(delay_ms(40, 0), 3_240_000);
        assert_eq!(delay_ms(40, u16::MAX), 3_960_000);
        assert_eq!(jittered(5, 12_345), 5);
    }
}
