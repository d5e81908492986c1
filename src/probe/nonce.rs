//! Numbers nobody on the path can guess, from the kernel.

/// Read at once: few reads for thousands of echoes, and no more than one for a usual run.
const POOL_BYTES: usize = 2048;

/// A supply of random numbers, refilled as it runs dry.
pub(super) struct Nonces {
    pool: Box<[u8; POOL_BYTES]>,
    used: usize,
}

impl Default for Nonces {
    fn default() -> Self {
        Self {
            pool: Box::new([0; POOL_BYTES]),
            used: POOL_BYTES,
        }
    }
}

impl Nonces {
    /// # Errors
    /// `ask the kernel for random bits: …`
    pub(super) fn next(&mut self) -> Result<u64, String> {
        if self.used == POOL_BYTES {
            getrandom::fill(&mut *self.pool)
                .map_err(|error| format!("ask the kernel for random bits: {error}"))?;
            self.used = 0;
        }
        let word = self.pool.as_chunks::<8>().0[self.used / 8];
        self.used += 8;
        Ok(u64::from_be_bytes(word))
    }

    /// An identifier for a raw socket.
    ///
    /// # Errors
    /// As `next`.
    pub(super) fn identifier(&mut self) -> Result<u16, String> {
        let [high, low, ..] = self.next()?.to_be_bytes();
        Ok(u16::from_be_bytes([high, low]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn nonces_do_not_repeat_across_refills() {
        let mut nonces = Nonces::default();
        let seen: HashSet<u64> = (0..1000).map(|_| nonces.next().unwrap()).collect();
        assert_eq!(seen.len(), 1000);
    }
}
