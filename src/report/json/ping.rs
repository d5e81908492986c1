use serde_json::{Value, json};

use crate::hostile::plain;
use crate::ping::{DestinationSummary, From, Summary, Target};
use crate::probe::icmp_error::ErrorSeen;

/// The body of `ping --json`.
pub fn pinged(from: &From, targets: &[Target], summary: &Summary, interrupted: bool) -> Value {
    let seen = summary.destinations.iter();
    let seen = seen.filter_map(|seen| Some(target(targets.get(seen.place)?, seen)));
    let notes = summary.socket_notes.iter().map(|note| plain(note));
    json!({
        "from": from.to_string(),
        "interrupted": interrupted,
        "targets": seen.collect::<Vec<_>>(),
        "rejected": summary.rejected,
        "elapsed_ms": elapsed_ms(summary),
        "socket": summary.socket,
        "socket_notes": notes.collect::<Vec<_>>(),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a run of microseconds that are no whole number in a double takes centuries"
)]
fn elapsed_ms(summary: &Summary) -> f64 {
    summary.elapsed_us as f64 / 1000.0
}

fn target(target: &Target, summary: &DestinationSummary) -> Value {
    let seen = &summary.seen;
    json!({
        "to": plain(&target.destination.to_string()),
        "names": target.names,
        "sent": seen.sent,
        "received": seen.received,
        "late": seen.late,
        "waiting": seen.waiting,
        "duplicates": seen.duplicates,
        "reordered": seen.reordered,
        "rejected": seen.rejected,
        "rtt_ms": summary.rtt,
        "hop_limit": seen.hop_limit,
        "errors": seen.errors.iter().map(error).collect::<Vec<_>>(),
    })
}

fn error(error: &ErrorSeen) -> Value {
    json!({
        "message": plain(&error.kind.to_string()),
        "icmp_type": error.icmp_type,
        "icmp_code": error.icmp_code,
        "offender": error.offender,
        "count": error.count,
    })
}
