//! The mailbox by itself: what is left there against its reader.

use loom::thread;

use super::scene::Alarm;
use super::{Token, all, explore};
use crate::mailbox::{Mailbox, Ready};
use crate::slab::SocketId;
use crate::sync::Arc;

fn mailbox() -> Arc<Mailbox<Token>> {
    Arc::new(Mailbox::new(SocketId::from_bits(1 << 32).unwrap(), 0))
}

/// Leaves a change and wakes the reader, and tells whether the mailbox took it.
fn push(post: &Mailbox<Token>, number: u64) -> bool {
    match post.push(Token::new(number), |_, _| {}) {
        Ok(wake) => {
            if let Some(wake) = wake {
                wake.wake();
            }
            true
        }
        Err(_) => false,
    }
}

/// Tells the reader that membership 7 has something to read, as a publisher does.
fn fire(post: &Mailbox<Token>) {
    post.mark(7);
    post.wake();
}

/// Takes what there is, if the flag says that there is any.
fn take(post: &Mailbox<Token>, changes: &mut Vec<u64>, ready: &mut Vec<u64>) {
    if post.is_dirty() {
        let mut new_ready = Ready::new();
        let new = post.take(&mut new_ready);
        changes.extend(new.iter().flat_map(|new| &new.list).map(|token: &Token| token.number));
        ready.extend(new_ready);
    }
}

#[test]
fn nothing_is_left_under_a_clean_flag() {
    let outcomes = explore("push and fire against take", 300, || {
        let post = mailbox();
        let others = [
            thread::spawn({
                let post = Arc::clone(&post);
                move || {
                    push(&post, 1);
                    push(&post, 2);
                }
            }),
            thread::spawn({
                let post = Arc::clone(&post);
                move || fire(&post)
            }),
        ];
        let (mut changes, mut ready) = (Vec::new(), Vec::new());
        take(&post, &mut changes, &mut ready);
        let first = (changes.len(), ready.len());
        for other in others {
            other.join().unwrap();
        }
        take(&post, &mut changes, &mut ready);
        assert_eq!((changes, ready), (vec![1, 2], vec![7]));
        assert!(!post.is_dirty());
        first
    });
    assert_eq!(outcomes, all([(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]));
}

#[test]
fn an_abandoned_mailbox_keeps_nothing() {
    let outcomes = explore("push and fire against abandon", 4, || {
        let post = mailbox();
        let alarm = Alarm::new();
        assert!(post.sleep(Alarm::wake(&alarm)));
        let other = thread::spawn({
            let post = Arc::clone(&post);
            move || {
                fire(&post);
                push(&post, 1)
            }
        });
        let (changes, wake) = post.abandon();
        let is_taken = other.join().unwrap();
        let left = changes.iter().flat_map(|changes| &changes.list).count();
        assert_eq!(left, usize::from(is_taken), "handed over here or given back there");
        assert!(!push(&post, 2));
        assert_eq!(alarm.rung(), usize::from(wake.is_none()));
        let (changes, wake) = post.abandon();
        assert!(changes.is_none() && wake.is_none());
        (is_taken, alarm.rung())
    });
    assert_eq!(outcomes, all([(false, 0), (false, 1), (true, 1)]));
}

#[test]
fn one_wake_for_each_that_was_left() {
    let outcomes = explore("push and fire against sleep", 100, || {
        let post = mailbox();
        let alarm = Alarm::new();
        let others = [
            thread::spawn({
                let post = Arc::clone(&post);
                move || _ = push(&post, 1)
            }),
            thread::spawn({
                let post = Arc::clone(&post);
                move || fire(&post)
            }),
        ];
        let is_asleep = post.sleep(Alarm::wake(&alarm));
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(alarm.rung(), usize::from(is_asleep));
        is_asleep
    });
    assert_eq!(outcomes, all([false, true]));
}
