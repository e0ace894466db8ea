//! Weeks of a store by one seed: the model's walk with clocks that jump, devices that start anew, a key store that fails.

use crate::model::Walk;
use crate::programme::Prepared;

/// S12.
pub(crate) fn lives(seed: u64) -> Result<Prepared, String> {
    Prepared::endless(move |case| {
        let mut walk = Walk::new(seed.wrapping_add(0x12), case, true);
        (0..250).for_each(|_| walk.step());
        walk.end();
    })
}
