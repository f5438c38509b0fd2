//! A list in joining order, from which any entry is removed in O(log n).

use smallvec::SmallVec;

/// Values by the sequence at which they joined, in that order.
///
/// Sequences only rise, so the list is sorted by construction and found in by bisection. Removing
/// leaves a hole; when half are holes they are squeezed out. `N` entries lie inline.
#[derive(Debug)]
pub(crate) struct Roll<T, const N: usize> {
    slots: SmallVec<[(u64, Option<T>); N]>,
    live: usize,
}

impl<T, const N: usize> Roll<T, N> {
    pub(crate) fn new() -> Self {
        Self { slots: SmallVec::new(), live: 0 }
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
        self.slots.push((since, Some(value)));
        self.live += 1;
    }

    pub(crate) fn contains(&self, since: u64) -> bool {
        self.position(since).is_some()
    }

    /// The place of an entry, valid until something is removed.
    pub(crate) fn position(&self, since: u64) -> Option<usize> {
        let place = self.slots.binary_search_by_key(&since, |slot| slot.0).ok()?;
        self.slots[place].1.is_some().then_some(place)
    }

    /// How many places there are, holes included.
    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(crate) fn at(&self, place: usize) -> Option<&T> {
        self.slots[place].1.as_ref()
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, place: usize) -> Option<&mut T> {
        self.slots[place].1.as_mut()
    }

    /// The sequence and value at a place, and all the other entries.
    #[inline]
    pub(crate) fn split_at_mut(&mut self, place: usize) -> Option<(u64, &mut T, Others<'_, T>)> {
        let (before, rest) = self.slots.split_at_mut(place);
        let (slot, after) = rest.split_first_mut()?;
        let value = slot.1.as_mut()?;
        Some((slot.0, value, Others { before, after }))
    }

    pub(crate) fn remove(&mut self, since: u64) -> Option<T> {
        let place = self.slots.binary_search_by_key(&since, |slot| slot.0).ok()?;
        let value = self.slots[place].1.take()?;
        self.live -= 1;
        if self.slots.len() > 2 * self.live {
            self.squeeze();
        }
        Some(value)
    }

    /// Removes what `keep` refuses, into `removed`.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool, mut removed: impl FnMut(T)) {
        for (_, slot) in &mut self.slots {
            if slot.as_mut().is_some_and(|value| !keep(value)) {
                slot.take().into_iter().for_each(&mut removed);
                self.live -= 1;
            }
        }
        self.squeeze();
    }

    pub(crate) fn clear(&mut self) -> impl Iterator<Item = (u64, T)> + use<T, N> {
        self.live = 0;
        std::mem::take(&mut self.slots).into_iter().filter_map(|(since, value)| Some((since, value?)))
    }

    /// Places and values, oldest first.
    #[inline]
    pub(crate) fn places_and_values(&self) -> impl Iterator<Item = (usize, &T)> {
        self.slots.iter().enumerate().filter_map(|(place, slot)| Some((place, slot.1.as_ref()?)))
    }

    /// Sequences and values, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.slots.iter().filter_map(|(since, value)| Some((*since, value.as_ref()?)))
    }

    fn squeeze(&mut self) {
        self.slots.retain(|slot| slot.1.is_some());
        if self.slots.capacity() > 4 * self.slots.len().max(N) {
            self.slots.shrink_to_fit();
        }
    }
}

/// All entries of a [`Roll`] but one.
#[derive(Debug)]
pub(crate) struct Others<'a, T> {
    before: &'a [(u64, Option<T>)],
    after: &'a [(u64, Option<T>)],
}

impl<T> Others<'_, T> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        let slots = self.before.iter().chain(self.after);
        slots.filter_map(|(since, value)| Some((*since, value.as_ref()?)))
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
        assert_eq!(roll.position(21).and_then(|place| roll.at(place)), Some(&210));
    }

    #[test]
    fn the_others_are_all_but_one() {
        let mut roll = Roll::<_, 4>::new();
        for since in [3, 5, 8] {
            roll.push(since, since);
        }
        roll.remove(3);
        let place = roll.position(8).unwrap();
        let (since, value, others) = roll.split_at_mut(place).unwrap();
        assert_eq!((since, *value), (8, 8));
        assert_eq!(others.iter().map(|(since, _)| since).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn retain_hands_out_what_it_removes() {
        let mut roll = Roll::<_, 4>::new();
        for since in 1..=6 {
            roll.push(since, since);
        }
        let mut removed = Vec::new();
        roll.retain(|value| *value % 2 == 0, |value| removed.push(value));
        assert_eq!(removed, [1, 3, 5]);
        assert_eq!(roll.clear().map(|(_, value)| value).collect::<Vec<_>>(), [2, 4, 6]);
        assert!(roll.is_empty());
    }
}
