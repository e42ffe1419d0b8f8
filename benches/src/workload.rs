//! Keys, values and requests as the benches draw them: which keys, how often, how large.
//!
//! Everything follows from a seed, so two runs, and two servers, see the same requests.

use nuthatch_engine::Rng;
use nuthatch_proto::resp::encode_request;

/// Which of `n` keys a request names.
#[derive(Debug, Clone)]
pub enum Popularity {
    /// Each as often as any other.
    Uniform {
        /// How many keys there are.
        keys: usize,
    },
    /// The k-th most popular in proportion to `1 / k^exponent`: caches see about 0.99.
    Zipf {
        /// The cumulated weights, ending in 1.
        cumulated: Vec<f64>,
    },
}

impl Popularity {
    /// Every key as often as any other.
    pub fn uniform(keys: usize) -> Self {
        Self::Uniform { keys }
    }

    /// Zipf's law over so many keys.
    pub fn zipf(keys: usize, exponent: f64) -> Self {
        let mut total = 0.0;
        let mut cumulated: Vec<f64> = (1..=keys)
            .map(|rank| {
                total += (rank as f64).powf(-exponent);
                total
            })
            .collect();
        cumulated.iter_mut().for_each(|weight| *weight /= total);
        Self::Zipf { cumulated }
    }

    /// The number of a key, below the count of keys.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        match self {
            Self::Uniform { keys } => rng.below(*keys),
            Self::Zipf { cumulated } => {
                let point = rng.next_u64() as f64 / u64::MAX as f64;
                cumulated.partition_point(|&weight| weight < point).min(cumulated.len() - 1)
            }
        }
    }
}

/// How large values are.
#[derive(Debug, Clone)]
pub enum Sizes {
    /// All the same.
    Fixed(usize),
    /// Sizes with their weights.
    Mixed(Vec<(usize, u32)>),
}

impl Sizes {
    /// A mixture as caches hold it: mostly some dozens of bytes, few large.
    pub fn cache() -> Self {
        Self::Mixed(vec![(16, 30), (64, 30), (256, 20), (1_024, 14), (4_096, 5), (16_384, 1)])
    }

    /// The size of a value.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        match self {
            Self::Fixed(size) => *size,
            Self::Mixed(sizes) => {
                let total: u32 = sizes.iter().map(|(_, weight)| weight).sum();
                let mut point = rng.below(total as usize) as u32;
                for &(size, weight) in sizes {
                    if point < weight {
                        return size;
                    }
                    point -= weight;
                }
                0
            }
        }
    }
}

/// A key as redis-benchmark writes it: 16 bytes.
pub fn key(number: usize) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

/// A member or field as redis-benchmark writes it.
pub fn element(number: usize) -> Vec<u8> {
    format!("element:{number:012}").into_bytes()
}

/// A value of that size.
pub fn value(size: usize) -> Vec<u8> {
    vec![b'x'; size]
}

/// A request as bytes on the wire.
pub fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_request(&mut bytes, words);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_within_the_keys_and_follow_the_law() {
        for (popularity, first_share) in
            [(Popularity::uniform(1_000), 0.0005..0.002), (Popularity::zipf(1_000, 0.99), 0.1..0.2)]
        {
            let mut rng = Rng::new(1);
            let draws: Vec<usize> = (0..100_000).map(|_| popularity.draw(&mut rng)).collect();
            assert!(draws.iter().all(|&key| key < 1_000));
            let first = draws.iter().filter(|&&key| key == 0).count() as f64 / draws.len() as f64;
            assert!(first_share.contains(&first), "{first}");
        }
    }

    #[test]
    fn sizes_are_those_of_the_mixture() {
        let mut rng = Rng::new(1);
        assert_eq!(Sizes::Fixed(64).draw(&mut rng), 64);
        let Sizes::Mixed(allowed) = Sizes::cache() else { panic!("a mixture") };
        for _ in 0..1_000 {
            let size = Sizes::cache().draw(&mut rng);
            assert!(allowed.iter().any(|&(allowed, _)| allowed == size));
        }
    }

    #[test]
    fn requests_are_arrays_of_bulk_strings() {
        assert_eq!(request(&[b"GET", b"k"]), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }
}
