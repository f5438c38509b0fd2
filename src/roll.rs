//! A list in joining order, from which any entry is removed in O(log n), squeezing included.

use smallvec::SmallVec;

use crate::growth::make_room;

/// Values by the sequence at which they joined, in that order.
///
/// Sequences only rise, so the list is sorted by construction and found in by bisection. Removing from a long list
/// leaves a hole; when half are holes they are squeezed out. `N` entries lie inline.
#[derive(Debug)]
#[repr(C)] // the number is asked for most
pub(crate) struct Roll<T, const N: usize> {
    live: usize,
    slots: SmallVec<[(u64, Option<T>); N]>,
}

/// In lists up to here what comes after a removed entry moves up.
const SHORT: usize = 16;

impl<T, const N: usize> Roll<T, N> {
    pub(crate) fn new() -> Self {
        Self { live: 0, slots: SmallVec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Adds a value at the end: `since` is above that of all before it.
    pub(crate) fn push(&mut self, since: u64, value: T) {
        debug_assert!(self.slots.last().is_none_or(|last| last.0 < since), "sequences only rise");
        make_room(&mut self.slots, 1);
        self.slots.push((since, Some(value)));
        self.live += 1;
    }

    pub(crate) fn contains(&self, since: u64) -> bool {
        let place = self.slots.binary_search_by_key(&since, |slot| slot.0);
        place.is_ok_and(|place| self.slots[place].1.is_some())
    }

    /// When the oldest value joined that is the one looked for.
    pub(crate) fn find(&self, is_it: impl Fn(&T) -> bool) -> Option<u64> {
        for (since, value) in &self.slots {
            if let Some(value) = value {
                if is_it(value) {
                    return Some(*since);
                }
            }
        }
        None
    }

    pub(crate) fn remove(&mut self, since: u64) -> Option<T> {
        let place = self.slots.binary_search_by_key(&since, |slot| slot.0).ok()?;
        let is_short = self.slots.len() <= SHORT;
        let value = if is_short { self.slots.remove(place).1? } else { self.slots[place].1.take()? };
        self.live -= 1;
        if self.slots.len() > 2 * self.live {
            self.slots.retain(|slot| slot.1.is_some());
        }
        if self.slots.capacity() > 4 * self.slots.len().max(N) {
            self.slots.shrink_to_fit();
        }
        Some(value)
    }

    /// Sequences and values, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().filter_map(|(since, value)| Some((*since, value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_removals() {
        let mut roll = Roll::<_, 2>::new();
        for since in 1..=100 {
            roll.push(since, since * 10);
        }
        for since in (1..=100).filter(|since| since % 7 != 0) {
            assert_eq!(roll.remove(since), Some(since * 10));
            assert_eq!(roll.remove(since), None);
        }
        let left: Vec<_> = roll.iter().map(|(since, value)| (since, *value)).collect();
        assert_eq!(left, (1..=14).map(|n| (n * 7, n * 70)).collect::<Vec<_>>());
        assert_eq!(roll.len(), 14);
        assert!(roll.slots.len() <= 28 && roll.slots.capacity() < 100);
        assert_eq!((roll.contains(14), roll.contains(15)), (true, false));
    }

    #[test]
    fn a_short_list_has_no_holes() {
        let mut roll = Roll::<_, 1>::new();
        for since in 1..=40 {
            roll.push(since, since);
        }
        for since in (1..=40).filter(|since| since % 9 != 0) {
            assert_eq!(roll.remove(since), Some(since));
            assert!(roll.slots.len() > SHORT || roll.slots.len() == roll.len(), "{since}: {roll:?}");
        }
        assert_eq!(roll.find(|value| *value == 27), Some(27));
        assert_eq!((roll.find(|value| *value == 28), roll.len()), (None, 4));
    }
}
