//! What is counted, through the `metrics` crate.

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::directory::Shares;
use crate::engine::Engine;
use crate::lease::Tally;
use crate::stats::NamespaceStats;

/// The label of all namespaces that were not asked for by name.
const OTHERS: &str = "(others)";

/// A name, a unit, what it says, and where that is.
type Figure = (&'static str, Unit, &'static str, fn(&NamespaceStats) -> u64);

const GAUGES: &[Figure] = &[
    ("roomcast_sockets", Unit::Count, "Sockets that are connected", |it| it.sockets as u64),
    ("roomcast_sockets_connecting", Unit::Count, "Sockets that are about to be", |it| it.connecting as u64),
    ("roomcast_rooms", Unit::Count, "Rooms with members", |it| it.rooms as u64),
    ("roomcast_retained_messages", Unit::Count, "Messages that logs hold", |it| it.retained),
    ("roomcast_retained_bytes", Unit::Bytes, "Payload bytes that logs hold", |it| it.retained_bytes),
    ("roomcast_pending_acks", Unit::Count, "Messages that wait for answers", |it| it.pending_acks as u64),
];

const COUNTERS: &[Figure] = &[
    ("roomcast_connects_total", Unit::Count, "Sockets that were connected", |it| it.connects),
    ("roomcast_joins_total", Unit::Count, "Joins of rooms", |it| it.joins),
    ("roomcast_leaves_total", Unit::Count, "Leaves of rooms", |it| it.leaves),
    ("roomcast_published_total", Unit::Count, "Messages that were emitted to anybody", |it| it.published),
    ("roomcast_published_bytes_total", Unit::Bytes, "Payload bytes of their copies in logs", |it| it.bytes),
    ("roomcast_addressed_total", Unit::Count, "Members that they were for", |it| it.addressed),
    ("roomcast_delivered_total", Unit::Count, "Messages that inboxes said they handed out", |it| {
        it.delivered
    }),
    ("roomcast_gaps_total", Unit::Count, "Gaps that inboxes told of", |it| it.gaps),
    ("roomcast_wakes_total", Unit::Count, "Sleeping readers that were woken", |it| it.wakes),
];

/// A cause, and how many messages were lost to it.
type Loss = (&'static str, fn(&NamespaceStats) -> u64);

/// Counts of [`LOST`].
const LOSSES: &[Loss] = &[
    ("backlog", |it| it.backlog_missed),
    ("memberships", |it| it.membership_missed),
    ("volatile", |it| it.volatile_dropped),
    ("expired", |it| it.expired),
    ("replaced", |it| it.replaced),
];

const LOST: &str = "roomcast_lost_total";
const DISCONNECTS: &str = "roomcast_disconnects_total";
const NAMESPACES: &str = "roomcast_namespaces";
const CONNECTIONS: &str = "roomcast_connections";
const REFUSED: &str = "roomcast_refused_total";
const SESSIONS: &str = "roomcast_sessions";
const AWAY: &str = "roomcast_sessions_away";
const RESUMED: &str = "roomcast_sessions_resumed_total";
const SESSIONS_EXPIRED: &str = "roomcast_sessions_expired_total";
const PROTOCOL_ERRORS: &str = "roomcast_protocol_errors_total";

impl Engine {
    /// Records what is counted with the recorder of the `metrics` crate that is installed, if one is. With the feature
    /// `metrics`.
    ///
    /// Call it when it suits you: every so many ticks, or as often as your exporter is looked at. In between nothing is
    /// recorded, so nothing that is emitted or read costs anything more. Costs [`stats`](Self::stats), and some 40
    /// look-ups in the recorder for each namespace; the recorder runs under no lock.
    ///
    /// All names begin with `roomcast_`. Each has the label `namespace`: its path, for namespaces that were asked for by
    /// [name](Self::of); those that a [parent](Self::of_pattern) has made for clients, and what removed ones did, are
    /// `(others)` together. So there are as many values as your program has names, and clients make no more. Beside it
    /// `roomcast_lost_total` has the label `cause`, and `roomcast_disconnects_total` the label `reason`, of a few fixed
    /// words each. What concerns the engine alone has none.
    ///
    /// Counters are set to what they are: of several engines in a process, give each a recorder of its own, or one that
    /// adds a label. Gauges of a namespace that was removed stay as they were.
    ///
    /// ```
    /// let engine = roomcast::Engine::new();
    /// roomcast::Engine::describe_metrics(); // once, after the recorder is installed
    /// engine.of("/world")?.emit("tick", ())?;
    /// engine.record_metrics();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn record_metrics(&self) {
        let directory = self.directory();
        let Shares { named, rest, namespaces, .. } = directory.shares();
        for (namespace, stats) in &named {
            record(&namespace.path, stats);
        }
        // Once it is there it stays.
        if rest != NamespaceStats::default() {
            record(OTHERS, &rest);
        }
        gauge!(NAMESPACES).set(namespaces as f64);
        gauge!(CONNECTIONS).set(directory.connection_count() as f64);
        counter!(REFUSED).absolute(directory.core.refused.busy());
        counter!(PROTOCOL_ERRORS).absolute(directory.core.refused.protocol());
        let leases = directory.leases.as_ref();
        let Tally { sessions, away, resumed, expired } =
            leases.map(|leases| leases.stats()).unwrap_or_default();
        gauge!(SESSIONS).set(sessions as f64);
        gauge!(AWAY).set(away as f64);
        counter!(RESUMED).absolute(resumed);
        counter!(SESSIONS_EXPIRED).absolute(expired);
    }

    /// Tells the recorder of the `metrics` crate that is installed what all figures are, and in which unit. With the
    /// feature `metrics`.
    pub fn describe_metrics() {
        for &(name, unit, what, _) in GAUGES {
            describe_gauge!(name, unit, what);
        }
        for &(name, unit, what, _) in COUNTERS {
            describe_counter!(name, unit, what);
        }
        describe_counter!(LOST, Unit::Count, "Messages that sockets missed or did without, by cause");
        describe_counter!(
            DISCONNECTS,
            Unit::Count,
            "Sockets that were disconnected or not let in, by reason"
        );
        describe_gauge!(NAMESPACES, Unit::Count, "Namespaces");
        describe_gauge!(CONNECTIONS, Unit::Count, "Connections that are open");
        describe_counter!(REFUSED, Unit::Count, "Events of clients that were refused, as too many waited");
        describe_gauge!(SESSIONS, Unit::Count, "Sockets that clients can come back to");
        describe_gauge!(AWAY, Unit::Count, "Sockets whose clients are away, and may come back");
        describe_counter!(RESUMED, Unit::Count, "Clients that came back to a socket");
        describe_counter!(SESSIONS_EXPIRED, Unit::Count, "Sockets whose clients did not come back");
        describe_counter!(PROTOCOL_ERRORS, Unit::Count, "Connections closed for what their clients sent");
    }
}

fn record(namespace: &str, stats: &NamespaceStats) {
    let label = Label::new("namespace", namespace.to_owned());
    let labels = || vec![label.clone()];
    for (name, _, _, figure) in GAUGES {
        gauge!(*name, labels()).set(figure(stats) as f64);
    }
    for (name, _, _, figure) in COUNTERS {
        counter!(*name, labels()).absolute(figure(stats));
    }
    let by =
        |key: &'static str, value: &'static str| vec![label.clone(), Label::from_static_parts(key, value)];
    for (cause, figure) in LOSSES {
        counter!(LOST, by("cause", cause)).absolute(figure(stats));
    }
    for (reason, count) in stats.disconnects.iter() {
        counter!(DISCONNECTS, by("reason", reason)).absolute(count);
    }
}
