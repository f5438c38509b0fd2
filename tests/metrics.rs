//! What is recorded with a recorder of the `metrics` crate.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder,
};
use roomcast::{ClientPacket, Engine, Payload};

/// Keeps everything by its name and labels.
#[derive(Default)]
struct Book {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    described: Mutex<BTreeMap<String, Option<Unit>>>,
}

impl Recorder for Book {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.described.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        unreachable!("there are none");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::clone(self.counters.lock().unwrap().entry(name(key)).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(Arc::clone(self.gauges.lock().unwrap().entry(name(key)).or_default()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        unreachable!("there are none");
    }
}

impl Book {
    /// What a counter or gauge says.
    fn get(&self, name: &str) -> u64 {
        if let Some(counter) = self.counters.lock().unwrap().get(name) {
            return counter.load(Ordering::SeqCst);
        }
        let gauges = self.gauges.lock().unwrap();
        let gauge = gauges.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", gauges.keys()));
        f64::from_bits(gauge.load(Ordering::SeqCst)) as u64
    }

    fn names(&self) -> Vec<String> {
        let (counters, gauges) = (self.counters.lock().unwrap(), self.gauges.lock().unwrap());
        counters.keys().chain(gauges.keys()).cloned().collect()
    }
}

/// `name{key=value}`.
fn name(key: &Key) -> String {
    let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
    if labels.is_empty() { key.name().to_owned() } else { format!("{}{{{}}}", key.name(), labels.join(",")) }
}

#[test]
fn all_that_is_counted_is_recorded() {
    let engine = Engine::builder().backlog(common::messages(8)).volatile_backlog(0).track_progress().build();
    let world = engine.of("/world").unwrap();
    let (socket, mut inbox) = world.connect();
    socket.join("room").unwrap();
    world.to("room").emit("n", "four").unwrap();
    world.to("room").volatile().emit("n", "four").unwrap();
    inbox.drain(|_| {});
    (0..100).for_each(|_| _ = world.to("room").emit("n", "four").unwrap());
    inbox.drain(|_| {});
    drop(world.connect());
    let book = Book::default();
    with_local_recorder(&book, || engine.record_metrics());
    let get = |name: &str| book.get(&format!("roomcast_{name}{{namespace=/world}}"));
    let stats = world.stats();
    assert_eq!((get("sockets"), get("rooms"), get("connects_total")), (1, 1, 2));
    assert_eq!((get("published_total"), get("published_bytes_total")), (102, 408));
    assert_eq!((get("addressed_total"), get("delivered_total")), (102, stats.delivered));
    assert_eq!((get("joins_total"), get("leaves_total"), get("gaps_total")), (1, 0, 1));
    assert_eq!((get("retained_messages"), get("retained_bytes")), (stats.retained, stats.retained_bytes));
    let lost = |cause: &str| book.get(&format!("roomcast_lost_total{{namespace=/world,cause={cause}}}"));
    assert_eq!((lost("backlog"), lost("volatile"), lost("expired")), (stats.backlog_missed, 1, 0));
    assert_eq!(stats.delivered + stats.backlog_missed, 101);
    let gone = "roomcast_disconnects_total{namespace=/world,reason=inbox_dropped}";
    assert_eq!((book.get(gone), book.get("roomcast_namespaces")), (1, 2));
    // Again, it is as it is, and not as much more.
    with_local_recorder(&book, || engine.record_metrics());
    assert_eq!((get("published_total"), get("sockets"), book.get(gone)), (102, 1, 1));
}

#[test]
fn clients_make_no_labels_and_no_counter_sinks() {
    let engine = Engine::new();
    let _games = engine.of_pattern("/game-{id}").unwrap();
    let book = Book::default();
    let record = || with_local_recorder(&book, || engine.record_metrics());
    record();
    let before = book.names().len();
    for number in 0..50 {
        let (connection, outbox) = engine.connect(());
        let namespace = format!("/game-{number}");
        connection
            .receive(ClientPacket::Connect { namespace: &namespace, auth: Payload::default() })
            .unwrap();
        engine.get(&namespace).unwrap().emit("n", ()).unwrap();
        record();
        assert_eq!(book.get("roomcast_published_total{namespace=(others)}"), number + 1);
        assert_eq!(book.get("roomcast_sockets{namespace=(others)}"), 1);
        drop((connection, outbox));
    }
    record();
    assert_eq!(book.get("roomcast_sockets{namespace=(others)}"), 0);
    // As many as for any other namespace.
    let each = book
        .names()
        .into_iter()
        .filter(|name| name.contains("namespace=/,") || name.contains("namespace=/}"));
    assert_eq!(book.names().len(), before + each.count());
}

#[test]
fn every_figure_is_described() {
    let engine = Engine::new();
    let book = Book::default();
    with_local_recorder(&book, || {
        Engine::describe_metrics();
        engine.record_metrics();
    });
    let described = book.described.lock().unwrap();
    let mut names: Vec<_> =
        book.names().iter().map(|name| name.split('{').next().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, described.keys().cloned().collect::<Vec<_>>());
    assert_eq!(described["roomcast_retained_bytes"], Some(Unit::Bytes));
}
