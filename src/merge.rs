//! Many sorted streams read as one: which of them comes next.

/// The next sequence of each stream that has one, with the stream's place.
///
/// One alone stands apart, as that is the common case. A few are kept sorted: inserting by moving the
/// others along is the cheapest there is. Many are kept as a binary heap.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    alone: Option<(u64, u32)>,
    /// Sorted from `first` on, or a heap.
    heads: Vec<(u64, u32)>,
    first: u32,
    is_heap: bool,
}

/// Up to here sorting beats a heap.
const FEW: usize = 32;

impl Heads {
    /// Adds a stream. All are added before the first is looked at.
    #[inline]
    pub(crate) fn push(&mut self, sequence: u64, place: usize) {
        let head = (sequence, place as u32);
        if self.heads.is_empty() {
            let Some(other) = self.alone.replace(head) else { return };
            self.alone = None;
            self.heads.push(other);
        }
        self.heads.push(head);
    }

    /// Ends the adding.
    #[inline]
    pub(crate) fn order(&mut self) {
        if !self.heads.is_empty() {
            self.order_several();
        }
    }

    fn order_several(&mut self) {
        self.is_heap = self.heads.len() > FEW;
        if self.is_heap {
            for index in (0..self.heads.len() / 2).rev() {
                self.sift_down(index);
            }
        } else {
            self.heads.sort_unstable();
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.alone = None;
        if !self.heads.is_empty() {
            self.heads.clear();
            self.first = 0;
        }
    }

    /// Whether there is none left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.alone.is_none() && self.first as usize == self.heads.len()
    }

    /// The place of the stream that comes next, and the sequence at which another one does.
    #[inline]
    pub(crate) fn first(&self) -> Option<(usize, u64)> {
        if let Some((_, place)) = self.alone {
            return Some((place as usize, u64::MAX));
        }
        let first = self.heads.get(self.first as usize)?;
        let second = if self.is_heap {
            let children = self.heads.get(1..3.min(self.heads.len()));
            children.into_iter().flatten().map(|head| head.0).min()
        } else {
            self.heads.get(self.first as usize + 1).map(|head| head.0)
        };
        Some((first.1 as usize, second.unwrap_or(u64::MAX)))
    }

    /// Moves the first stream on to its next sequence, or out if it has none.
    #[inline]
    pub(crate) fn advance(&mut self, sequence: Option<u64>) {
        match &mut self.alone {
            Some(head) => self.alone = sequence.map(|sequence| (sequence, head.1)),
            None => self.advance_several(sequence),
        }
    }

    fn advance_several(&mut self, sequence: Option<u64>) {
        let first = self.first as usize;
        match (sequence, self.is_heap) {
            (Some(sequence), true) => {
                self.heads[0].0 = sequence;
                self.sift_down(0);
            }
            (None, true) => {
                self.heads.swap_remove(0);
                if !self.heads.is_empty() {
                    self.sift_down(0);
                }
            }
            (Some(sequence), false) => {
                let head = (sequence, self.heads[first].1);
                let rest = &self.heads[first + 1..];
                let before = rest.iter().take_while(|other| **other < head).count();
                self.heads.copy_within(first + 1..=first + before, first);
                self.heads[first + before] = head;
            }
            (None, false) => self.first += 1,
        }
    }

    fn sift_down(&mut self, mut index: usize) {
        let head = self.heads[index];
        loop {
            let mut child = 2 * index + 1;
            if child >= self.heads.len() {
                break;
            }
            if child + 1 < self.heads.len() && self.heads[child + 1] < self.heads[child] {
                child += 1;
            }
            if head <= self.heads[child] {
                break;
            }
            self.heads[index] = self.heads[child];
            index = child;
        }
        self.heads[index] = head;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Streams of rising numbers come out as one sorted list, and `first` tells the truth about the
        /// second.
        #[test]
        fn merges_like_sorting(streams in prop::collection::vec(prop::collection::vec(1_u64..50, 0..6), 0..80)) {
            let mut next = 0;
            let mut streams: Vec<Vec<u64>> = streams
                .iter()
                .map(|steps| steps.iter().map(|step| { next += 1; step * 1000 + next }).collect())
                .collect();
            let mut expected: Vec<u64> = streams.iter_mut().flat_map(|s| { s.sort_unstable(); s.clone() }).collect();
            expected.sort_unstable();
            let mut heads = Heads::default();
            for (place, stream) in streams.iter_mut().enumerate() {
                stream.reverse();
                if let Some(first) = stream.last() {
                    heads.push(*first, place);
                }
            }
            heads.order();
            let mut merged = Vec::new();
            while let Some((place, second)) = heads.first() {
                prop_assert!(!heads.is_empty());
                let others = streams.iter().enumerate().filter(|(other, _)| *other != place);
                let expected_second = others.filter_map(|(_, stream)| stream.last()).min();
                prop_assert_eq!(second, expected_second.copied().unwrap_or(u64::MAX));
                merged.extend(streams[place].pop());
                heads.advance(streams[place].last().copied());
            }
            prop_assert!(heads.is_empty());
            prop_assert_eq!(merged, expected);
        }
    }

    #[test]
    fn what_is_cleared_is_as_new() {
        for count in [0, 1, 2, 40] {
            let mut heads = Heads::default();
            (0..count).for_each(|place| heads.push(place as u64, place));
            heads.order();
            heads.first().into_iter().for_each(|_| heads.advance(None));
            heads.clear();
            assert!(heads.is_empty() && heads.first().is_none(), "{count}");
            [(7, 0), (3, 1)].into_iter().for_each(|(sequence, place)| heads.push(sequence, place));
            heads.order();
            assert_eq!(heads.first(), Some((1, 7)), "{count}");
        }
    }
}
