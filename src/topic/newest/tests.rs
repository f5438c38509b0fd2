use super::*;
use crate::clock::Clock;
use crate::payload::Payload;
use crate::terms::Wish;

/// A message of this key.
fn message(key: u64) -> Entry {
    let wish = Wish { key: Some((key as i64).into()), ..Wish::default() };
    let audience = Audience { terms: wish.terms(0, Clock::new().shared_now()), ..Audience::default() };
    Entry::Aimed { event: 0, payload: Payload::default(), audience: Arc::new(audience) }
}

#[test]
fn of_keys_that_nobody_can_read_few_are_kept() {
    let mut newest = Newest::default();
    for key in 0..100 * FEW as u64 {
        assert!(newest.put(&message(key)).is_none());
        assert!(newest.messages.len() <= FEW + 1);
    }
}

#[test]
fn a_message_that_somebody_can_read_is_kept_however_many_are_not() {
    let mut newest = Newest::default();
    let held: Vec<_> = (0..3 * FEW as u64).map(message).collect();
    for message in &held {
        assert!(newest.put(message).is_none());
    }
    for key in 1000..1000 + 10 * FEW as u64 {
        assert!(newest.put(&message(key)).is_none());
        assert!(newest.messages.len() <= 2 * held.len() + FEW);
    }
    assert!(held.iter().all(|message| newest.put(message).is_some()));
}
