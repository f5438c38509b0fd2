//! How lists grow of which there are many: while they are short, their slack is most of what they cost.

use smallvec::{Array, SmallVec};

/// From here on lists double, as moving them is what costs then.
const LONG: usize = 1024;

/// Makes room for at least as many more, and for a quarter more than there are.
#[inline]
pub(crate) fn make_room<A: Array>(list: &mut SmallVec<A>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(step(list.len())));
    }
}

/// How many entries to make room for beside so many.
pub(crate) fn step(len: usize) -> usize {
    if len < LONG { (len / 4).max(2) } else { len }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lists_grow_by_a_quarter_and_long_ones_double() {
        let mut list = SmallVec::<[u8; 1]>::new();
        let mut capacities = Vec::new();
        for n in 0..5000 {
            make_room(&mut list, 1);
            list.push(n as u8);
            if capacities.last() != Some(&list.capacity()) {
                capacities.push(list.capacity());
            }
        }
        assert_eq!(capacities[..10], [1, 3, 5, 7, 9, 11, 13, 16, 20, 25]);
        assert!(capacities.windows(2).all(|pair| pair[1] <= pair[0] * 5 / 4 + 2 || pair[0] >= LONG));
        assert!(capacities.windows(2).all(|pair| pair[1] == pair[0] * 2 || pair[0] < LONG));
        make_room(&mut list, 9000);
        assert_eq!(list.capacity(), 14_000);
    }
}
