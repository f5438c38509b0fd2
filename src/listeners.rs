//! Lists of what users registered: in order, by id, called under no lock.
//!
//! A list is never changed, only replaced. Whoever calls what is in it takes the list as it is at that moment:
//! what is added or removed meanwhile, by what is called too, counts from the next time on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use hashbrown::HashMap;
use smol_str::SmolStr;
use std::collections::hash_map::RandomState;

use crate::foreign::contain;
use crate::sync::{AtomicBool, Ordering, RwLock};

/// Names a handler, hook or middleware, to take it off again. Never used twice.
///
/// It may be dropped: what it names stays. It is taken off by `off` of what it was registered with, be that an
/// [`Engine`](crate::Engine::off), [`Namespace`](crate::Namespace::off), [`Parent`](crate::Parent::off),
/// [`Socket`](crate::Socket::off) or [`ClientSocket`](crate::ClientSocket::off).
///
/// ```
/// let engine = roomcast::Engine::new();
/// let chat = engine.of("/chat")?;
/// let hook = chat.on_connect(|socket| println!("{} is here", socket.id()));
/// assert!(!engine.of("/other")?.off(hook)); // not there
/// assert!(chat.off(hook) && !chat.off(hook));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(u64);

impl ListenerId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl fmt::Debug for ListenerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ListenerId(..)") // the number depends on what else the process does
    }
}

/// One of a list.
pub(crate) struct Listener<F: ?Sized> {
    id: ListenerId,
    /// For one that is called once: whether it was.
    spent: Option<AtomicBool>,
    call: Box<F>,
}

impl<F: ?Sized> Listener<F> {
    /// What to call, unless it is called once and was: then never again.
    fn take(&self) -> Option<&F> {
        let is_spent = self.spent.as_ref().is_some_and(|spent| spent.swap(true, Ordering::AcqRel));
        (!is_spent).then_some(&*self.call)
    }
}

/// Where a new one goes, and how often it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Last,
    First,
    /// Last, and it is called once.
    Once,
}

type Items<F> = Arc<[Arc<Listener<F>>]>;

/// Listeners of one kind.
pub(crate) struct List<F: ?Sized>(RwLock<Option<Items<F>>>);

impl<F: ?Sized> List<F> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(None))
    }

    pub(crate) fn add(&self, place: Place, call: Box<F>) -> ListenerId {
        let listener = listener(place, call);
        let id = listener.id;
        let old;
        {
            let mut items = self.0.write();
            old = items.take();
            *items = Some(with(old.as_deref(), place, listener));
        }
        drop(old);
        id
    }

    pub(crate) fn remove(&self, id: ListenerId) -> bool {
        let old;
        {
            let mut items = self.0.write();
            if !items.iter().flat_map(|items| items.iter()).any(|listener| listener.id == id) {
                return false;
            }
            old = items.take();
            *items = without(old.as_deref(), id);
        }
        drop(old);
        true
    }

    pub(crate) fn clear(&self) {
        let old = self.0.write().take();
        old.into_iter().for_each(release);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.read().is_none()
    }

    /// Calls `call` with each, as the list is now, for as long as it returns true.
    pub(crate) fn call_while(&self, call: impl FnMut(&F) -> bool) -> bool {
        let Some(items) = self.0.read().clone() else { return true };
        call_while(items, |id| self.remove(id), call)
    }

    /// Calls `call` with each, as the list is now.
    pub(crate) fn call_each(&self, mut call: impl FnMut(&F)) {
        self.call_while(|f| {
            call(f);
            true
        });
    }

    /// The list as it is now, for [`Snapshot::at`].
    pub(crate) fn snapshot(&self) -> Snapshot<F> {
        Snapshot(self.0.read().clone())
    }
}

/// A list as it was.
pub(crate) struct Snapshot<F: ?Sized>(Option<Items<F>>);

impl<F: ?Sized> Snapshot<F> {
    pub(crate) fn at(&self, place: usize) -> Option<&F> {
        self.0.as_ref()?.get(place).map(|listener| &*listener.call)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |items| items.len())
    }
}

/// Listeners by event. Names come from users, not from clients.
pub(crate) struct Table<F: ?Sized>(RwLock<HashMap<SmolStr, Items<F>, RandomState>>);

impl<F: ?Sized> Table<F> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(HashMap::default()))
    }

    pub(crate) fn add(&self, event: &str, place: Place, call: Box<F>) -> ListenerId {
        let listener = listener(place, call);
        let id = listener.id;
        let old;
        {
            let mut table = self.0.write();
            old = table.remove(event);
            table.insert(SmolStr::new(event), with(old.as_deref(), place, listener));
        }
        drop(old);
        id
    }

    pub(crate) fn remove(&self, id: ListenerId) -> bool {
        let old;
        {
            let mut table = self.0.write();
            let is_here = |items: &Items<F>| items.iter().any(|listener| listener.id == id);
            let found = table.iter().find(|(_, items)| is_here(items)).map(|(event, _)| event.clone());
            let Some(event) = found else { return false };
            old = table.remove(&event);
            if let Some(items) = without(old.as_deref(), id) {
                table.insert(event, items);
            }
        }
        drop(old);
        true
    }

    /// Removes all listeners of an event, and returns how many there were.
    pub(crate) fn remove_event(&self, event: &str) -> usize {
        let old = self.0.write().remove(event);
        old.map_or(0, |items| items.len())
    }

    pub(crate) fn clear(&self) {
        let mut old: Vec<_> = std::mem::take(&mut *self.0.write()).into_values().collect();
        // What they have captured can tell in which order it is dropped: not in that of the hashes.
        old.sort_unstable_by_key(|items| items.first().map(|listener| listener.id));
        old.into_iter().for_each(release);
    }

    /// Calls `call` with each listener of an event, as the list is now.
    pub(crate) fn call_each(&self, event: &str, mut call: impl FnMut(&F)) {
        let Some(items) = self.0.read().get(event).cloned() else { return };
        call_while(
            items,
            |id| self.remove(id),
            |f| {
                call(f);
                true
            },
        );
    }
}

impl<F: ?Sized> Drop for Table<F> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Calls `call` with each for as long as it returns true, and tells whether it always did. What is called once
/// is taken off before.
fn call_while<F: ?Sized>(
    items: Items<F>,
    remove: impl Fn(ListenerId) -> bool,
    mut call: impl FnMut(&F) -> bool,
) -> bool {
    let passed = items.iter().all(|listener| {
        let Some(f) = listener.take() else { return true };
        if listener.spent.is_some() {
            remove(listener.id);
        }
        call(f)
    });
    // Perhaps the last that has one that was taken off: its `Drop` is user code.
    contain(|| drop(items));
    passed
}

fn listener<F: ?Sized>(place: Place, call: Box<F>) -> Arc<Listener<F>> {
    let spent = (place == Place::Once).then(|| AtomicBool::new(false));
    Arc::new(Listener { id: ListenerId::next(), spent, call })
}

fn with<F: ?Sized>(old: Option<&[Arc<Listener<F>>]>, place: Place, new: Arc<Listener<F>>) -> Items<F> {
    let old = old.unwrap_or_default().iter().cloned();
    match place {
        Place::First => std::iter::once(new).chain(old).collect(),
        Place::Last | Place::Once => old.chain(std::iter::once(new)).collect(),
    }
}

/// Lets go of them, one by one: what the `Drop` of one throws is not to keep the others, or the caller.
fn release<F: ?Sized>(items: Items<F>) {
    let each: Vec<_> = items.iter().cloned().collect();
    drop(items);
    each.into_iter().for_each(|listener| contain(|| drop(listener)));
}

/// What is left, if anything is.
fn without<F: ?Sized>(old: Option<&[Arc<Listener<F>>]>, id: ListenerId) -> Option<Items<F>> {
    let left: Items<F> =
        old.unwrap_or_default().iter().filter(|listener| listener.id != id).cloned().collect();
    (!left.is_empty()).then_some(left)
}

impl<F: ?Sized> fmt::Debug for List<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("len", &self.snapshot().len()).finish()
    }
}

impl<F: ?Sized> fmt::Debug for Table<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("events", &self.0.read().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Plain = dyn Fn() -> u32 + Send + Sync;

    fn called(list: &List<Plain>) -> Vec<u32> {
        let mut called = Vec::new();
        list.call_each(|f| called.push(f()));
        called
    }

    #[test]
    fn they_are_called_in_order_and_taken_off_by_id() {
        let list = List::<Plain>::new();
        assert!(list.is_empty());
        let one = list.add(Place::Last, Box::new(|| 1));
        list.add(Place::Last, Box::new(|| 2));
        let zero = list.add(Place::First, Box::new(|| 0));
        assert_eq!(called(&list), [0, 1, 2]);
        assert!(list.remove(one));
        assert!(!list.remove(one));
        assert_eq!(called(&list), [0, 2]);
        assert!(list.remove(zero));
        list.clear();
        assert!(list.is_empty());
    }

    #[test]
    fn one_that_is_called_once_is_gone_before_it_is_called() {
        let list = Arc::new(List::<Plain>::new());
        let again = Arc::clone(&list);
        list.add(Place::Once, Box::new(move || 10 + called(&again).len() as u32));
        assert_eq!(called(&list), [10]);
        assert!(list.is_empty());
    }

    #[test]
    fn a_list_is_called_as_it_was() {
        let list = Arc::new(List::<Plain>::new());
        let adding = Arc::clone(&list);
        list.add(
            Place::Last,
            Box::new(move || {
                adding.add(Place::Last, Box::new(|| 2));
                1
            }),
        );
        assert_eq!(called(&list), [1]);
        assert_eq!(called(&list), [1, 2]);
        list.clear(); // it holds itself
    }

    #[test]
    fn a_table_forgets_events_without_listeners() {
        let table = Table::<Plain>::new();
        let id = table.add("a", Place::Last, Box::new(|| 1));
        table.add("b", Place::Once, Box::new(|| 2));
        table.add("c", Place::Last, Box::new(|| 3));
        table.add("c", Place::Last, Box::new(|| 4));
        let mut seen = Vec::new();
        for event in ["a", "b", "b", "c", "d"] {
            table.call_each(event, |f| seen.push(f()));
        }
        assert_eq!(seen, [1, 2, 3, 4]);
        assert!(table.remove(id) && !table.remove(id));
        assert_eq!((table.remove_event("c"), table.remove_event("c")), (2, 0));
        assert!(table.0.read().is_empty());
    }

    #[test]
    fn what_a_table_holds_goes_in_the_order_in_which_it_came() {
        struct Last(u32, Arc<std::sync::Mutex<Vec<u32>>>);
        impl Drop for Last {
            fn drop(&mut self) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let filled = || {
            let (table, gone) = (Table::<Plain>::new(), Arc::default());
            for n in 0..20 {
                let last = Last(n, Arc::clone(&gone));
                table.add(&n.to_string(), Place::Last, Box::new(move || last.0));
            }
            (table, gone)
        };
        let (table, cleared) = filled();
        table.clear();
        let (table, dropped) = filled();
        drop(table);
        for gone in [cleared, dropped] {
            assert!(gone.lock().unwrap().iter().copied().eq(0..20), "{gone:?}");
        }
    }
}
