//! What is written beside what runs, for scripts.

use serde_json::{Value, json};

use crate::facts::Facts;
use crate::plan::said::By;
use crate::plan::settings::{Setting, settings as all};

/// `settings[]` of `doctor` and `status`: what is not known is null.
pub(super) fn settings(facts: &Facts) -> Vec<Value> {
    all(facts).iter().map(setting).collect()
}

fn setting(setting: &Setting) -> Value {
    let (set_by, default_of) = match &setting.configured.by {
        By::File { file, line } => (Some(json!({ "file": file, "line": line })), None),
        By::Default(of) => (None, Some(of)),
        By::Manager | By::Unknown => (None, None),
    };
    json!({
        "name": setting.name,
        "configured": setting.configured.value.is(),
        "set_by": set_by,
        "default_of": default_of,
        "running": setting.running.is(),
        "differs": setting.differs(),
    })
}
