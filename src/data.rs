//! Values that users keep with a socket or a room, one of each type.

use std::any::{Any, TypeId};
use std::sync::Arc;

use crate::foreign::contain;
use crate::sync::{Mutex, OnceLock};

type Value = Arc<dyn Any + Send + Sync>;

/// At most one value of each type. Empty, it owns no memory. No value is dropped under the lock.
#[derive(Default)]
pub(crate) struct DataMap(OnceLock<Box<Values>>);

type Values = Mutex<Vec<(TypeId, Value)>>;

impl DataMap {
    pub(crate) fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let value = {
            let values = self.0.get()?.lock();
            let found = values.iter().find(|(id, _)| *id == TypeId::of::<T>());
            Arc::clone(&found?.1)
        };
        value.downcast().ok()
    }

    /// Puts a value in place of the one of the same type, which it returns.
    pub(crate) fn set<T: Any + Send + Sync>(&self, value: Arc<T>) -> Option<Arc<T>> {
        let old = {
            let mut values = self.0.get_or_init(|| Box::new(Mutex::new(Vec::new()))).lock();
            match values.iter_mut().find(|(id, _)| *id == TypeId::of::<T>()) {
                Some((_, place)) => Some(std::mem::replace(place, value)),
                None => {
                    values.push((TypeId::of::<T>(), value));
                    None
                }
            }
        };
        old?.downcast().ok()
    }

    /// The value of this type, made if there is none, under no lock. If two make one at the same time, the
    /// first stays.
    pub(crate) fn get_or_insert_with<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.get() {
            return value;
        }
        let made: Value = Arc::new(make());
        let value = {
            let mut values = self.0.get_or_init(|| Box::new(Mutex::new(Vec::new()))).lock();
            match values.iter().find(|(id, _)| *id == TypeId::of::<T>()) {
                Some((_, value)) => Arc::clone(value),
                None => {
                    values.push((TypeId::of::<T>(), Arc::clone(&made)));
                    Arc::clone(&made)
                }
            }
        };
        drop(made);
        value.downcast().expect("it is kept under its type")
    }

    pub(crate) fn remove<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let removed = {
            let mut values = self.0.get()?.lock();
            let place = values.iter().position(|(id, _)| *id == TypeId::of::<T>());
            values.swap_remove(place?).1
        };
        removed.downcast().ok()
    }
}

impl Drop for DataMap {
    /// Drops each value without a panic: whoever happens to let go of the socket or room last is not to blame.
    fn drop(&mut self) {
        let Some(values) = self.0.get() else { return };
        let values = std::mem::take(&mut *values.lock());
        values.into_iter().for_each(|(_, value)| contain(|| drop(value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let data = DataMap::default();
        assert_eq!((data.get::<u8>(), data.remove::<u8>()), (None, None));
        assert_eq!(data.set(Arc::new(1_u8)), None);
        assert_eq!(data.set(Arc::new("one")), None);
        assert_eq!(data.set(Arc::new(2_u8)).as_deref(), Some(&1));
        assert_eq!(data.get::<u8>().as_deref(), Some(&2));
        assert_eq!(data.remove::<u8>().as_deref(), Some(&2));
        assert_eq!(data.get::<&str>().as_deref(), Some(&"one"));
    }

    #[test]
    fn a_value_may_use_the_map_when_it_is_dropped() {
        struct Nosy(Arc<DataMap>);
        impl Drop for Nosy {
            fn drop(&mut self) {
                assert!(self.0.get::<u8>().is_some());
            }
        }
        let data = Arc::new(DataMap::default());
        data.set(Arc::new(1_u8));
        data.set(Arc::new(Nosy(Arc::clone(&data))));
        drop(data.set(Arc::new(Nosy(Arc::clone(&data)))));
        drop(data.remove::<Nosy>());
    }
}
