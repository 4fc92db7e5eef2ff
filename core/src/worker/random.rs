//! Random numbers for the order of queues: quick, and the same again from the same seed.

/// A generator, after SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// One whose numbers nobody knows, and that no other process has.
    pub fn fresh() -> Random {
        Random::seeded(uuid::Uuid::new_v4().as_u64_pair().0)
    }

    /// The one of this seed.
    pub fn seeded(seed: u64) -> Random {
        Random(seed)
    }

    /// From 0 to below `most`, which is more than 0.
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(bits ^ (bits >> 31)) * u128::from(most)) >> 64) as u64
    }

    /// Puts them in any order, each as likely as any other.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}
