//! dockerd's own switches: an option of its command line, else a key of daemon.json.

use serde_json::Value;

use super::{NAME_BRIDGE, Setting};
use crate::capability;
use crate::facts::{Engine, Facts, Seen, Unit};
use crate::plan::daemon_json;
use crate::plan::files::Files;
use crate::plan::next_start::{known, switch};
use crate::plan::said::{By, Said};

pub(super) fn settings(facts: &Facts, unit: &Unit, files: &Files<'_>) -> [Setting; 2] {
    let told = |key: &str, default: Option<bool>| {
        on_the_command_line(unit, files, key).unwrap_or_else(|| in_daemon_json(facts, key, default))
    };
    let version = facts.engine_version();
    let needs = version.map(capability::engine);
    let engine = facts.engine.as_ref();
    [
        Setting {
            name: NAME_BRIDGE,
            configured: told("ipv6", Some(false)),
            running: engine.clone().and_then(|engine: &Engine| {
                let docker0 = engine.docker0();
                docker0.map_or(Seen::Absent, |docker0| Seen::Is(switch(docker0.ipv6)))
            }),
        },
        Setting {
            name: "ip6tables",
            configured: told("ip6tables", needs.map(|needs| !needs.ip6tables)),
            running: engine.and_then(|_| Seen::Unknown("the Engine does not tell".to_owned())),
        },
    ]
}

fn on_the_command_line(unit: &Unit, files: &Files<'_>, name: &str) -> Option<Said> {
    let options = unit.options();
    let given = options.given(name)?;
    let refused = || Seen::Unknown(format!("dockerd refuses {}", given.word));
    let by = files.last(|line| line.key == "ExecStart");
    Some(Said {
        value: given.on().map_or_else(refused, |on| Seen::Is(switch(on))),
        by: by.unwrap_or(By::Unknown),
    })
}

fn in_daemon_json(facts: &Facts, key: &str, default: Option<bool>) -> Said {
    let file = &facts.daemon_json;
    let unknown = |why: String| Said {
        value: Seen::Unknown(why),
        by: By::Unknown,
    };
    let text = match &file.text {
        Seen::Is(text) => text,
        Seen::Absent => "",
        Seen::Unknown(why) => return unknown(why.clone()),
    };
    match daemon_json::lookup(text, &[key]) {
        Ok(Some(Value::Bool(on))) => Said {
            value: Seen::Is(switch(on)),
            by: By::File {
                file: file.path.clone(),
                line: daemon_json::line_of(text, &[key]),
            },
        },
        Ok(Some(_)) => unknown(format!("{key} in daemon.json is neither true nor false")),
        Ok(None) => Said {
            value: known(default.map(switch).as_deref()),
            by: By::default_of(facts),
        },
        Err(error) => unknown(error.to_string()),
    }
}
