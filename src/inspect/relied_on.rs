use crate::apply::journal;
use crate::facts::{ReliedOn, Seen};
use crate::host::Host;

/// What an earlier setup of the unit has put in place, by the journal. A journal that cannot be
/// trusted says nothing.
pub(super) fn gather(host: &Host) -> Seen<ReliedOn> {
    match journal::relied_on(host) {
        Ok(Some(relied_on)) => Seen::Is(relied_on),
        Ok(None) => Seen::Absent,
        Err(error) => Seen::Unknown(match error.causes.first() {
            Some(cause) => format!("{}: {cause}", error.message),
            None => error.message,
        }),
    }
}
