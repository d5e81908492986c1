//! The wizard: asks only for what a request leaves open and for a yes.

use std::io;
use std::sync::mpsc;
use std::thread;

use dialoguer::Input;
use dialoguer::console::Term;
use dialoguer::theme::SimpleTheme;
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};

use crate::capability;
use crate::error::{Error, Exit, Result};
use crate::facts::Facts;
use crate::host::process;
use crate::request::{Net, NewNetworks, Request};
use crate::ui::talk;

/// Somebody who answers.
pub trait Prompt {
    /// Asks one question; the answer is one of the choices' first letters, typed or in full.
    ///
    /// # Errors
    /// Exit 130 when the person interrupts, or a signal asks the program to end.
    fn choose(&mut self, question: &str, choices: &[&str]) -> Result<char>;
    /// Shows a text.
    fn show(&mut self, text: &str);
}

/// The terminal: questions on stderr, so that stdout stays for results.
#[derive(Debug, Clone, Copy)]
pub struct Terminal;

impl Prompt for Terminal {
    fn choose(&mut self, question: &str, choices: &[&str]) -> Result<char> {
        talk::finish();
        let question = Question::of(question, choices);
        let before = tcgetattr(io::stdin()).ok();
        let (answers, answered) = mpsc::channel();
        let interrupted = answers.clone();
        let watch = process::on_interrupt(move || {
            let _ = interrupted.send(Err(None));
        });
        // It waits for a key and for nothing else; on a signal it is left to the end of the program.
        thread::spawn(move || answers.send(question.ask().map_err(Some)));
        let answer = answered.recv().unwrap_or(Err(None));
        drop(watch);
        answer.map_err(|why| {
            if let Some(before) = before {
                let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &before);
            }
            let _ = Term::stderr().show_cursor();
            let _ = Term::stderr().write_line("");
            let error = Error::new(Exit::Interrupted, "interrupted: nothing was changed");
            why.iter().fold(error, Error::caused_by)
        })
    }

    fn show(&mut self, text: &str) {
        talk::say(format!("{text}\n"));
    }
}

/// One question, and the words that answer it.
struct Question {
    prompt: String,
    choices: Vec<String>,
}

impl Question {
    fn of(question: &str, choices: &[&str]) -> Self {
        let named: Vec<String> = choices
            .iter()
            .filter_map(|choice| Some((choice.chars().next()?, choice)))
            .map(|(letter, choice)| format!("({letter}){}", &choice[letter.len_utf8()..]))
            .collect();
        Self {
            prompt: format!("{question} {}", named.join(", ")),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        }
    }

    fn ask(&self) -> dialoguer::Result<char> {
        let answer = Input::<String>::with_theme(&SimpleTheme)
            .with_prompt(&self.prompt)
            .validate_with(|answer: &String| {
                let word = answer.trim().to_lowercase();
                let mut choices = self.choices.iter();
                if choices.any(|choice| !word.is_empty() && choice.starts_with(&word)) {
                    Ok(())
                } else {
                    Err(format!("answer one of: {}", self.choices.join(", ")))
                }
            })
            .interact_text_on(&Term::stderr())?;
        Ok(answer.trim().to_lowercase().chars().next().unwrap_or('n'))
    }
}

/// Fills what is open and worth asking: what has one sensible answer here is not.
///
/// # Errors
/// Exit 3 for a no to all that is possible here, exit 130 when the person interrupts.
pub fn fill(prompt: &mut dyn Prompt, request: &mut Request, facts: &Facts) -> Result<()> {
    if request.net.is_none() && !carries_echo(facts) {
        request.net = Some(without_echo(prompt)?);
    }
    if request.new_networks.is_none() && chooses_new_networks(facts) {
        let question = "Shall networks that are made from now on have IPv6 too?";
        request.new_networks = Some(match prompt.choose(question, &["yes", "no"])? {
            'y' => NewNetworks::Ipv6,
            _ => NewNetworks::Keep,
        });
    }
    Ok(())
}

fn carries_echo(facts: &Facts) -> bool {
    let has_pasta = facts
        .rootlesskit_version()
        .is_none_or(|version| capability::rootlesskit(version).pasta);
    has_pasta || facts.slirp4netns_forwards_echo() != Some(false)
}

fn chooses_new_networks(facts: &Facts) -> bool {
    facts
        .engine_version()
        .is_some_and(|version| capability::engine(version).new_networks)
}

fn without_echo(prompt: &mut dyn Prompt) -> Result<Net> {
    prompt.show(include_str!("../templates/explanation/without-echo.txt"));
    match prompt.choose(
        "Shall containers have TCP and UDP over IPv6, without ping6?",
        &["yes", "no"],
    )? {
        'y' => Ok(Net::Slirp4netns),
        _ => Err(
            Error::new(Exit::NotApplied, "nothing was changed, as you said no").hint(
                "ping6 needs RootlessKit 2.0 or later, as Docker Engine 25.0 or Debian 13 bring it",
            ),
        ),
    }
}

/// Asks for the last yes; `explanation` is what an `e` shows.
///
/// # Errors
/// Exit 3 for a no, exit 130 when the person interrupts.
pub fn go_ahead(prompt: &mut dyn Prompt, question: &str, explanation: Option<&str>) -> Result<()> {
    let choices: &[&str] = match explanation {
        Some(_) => &["yes", "no", "explain"],
        None => &["yes", "no"],
    };
    loop {
        match prompt.choose(question, choices)? {
            'y' => return Ok(()),
            'e' => prompt.show(explanation.unwrap_or_default()),
            _ => {
                return Err(Error::new(
                    Exit::NotApplied,
                    "nothing was changed, as you said no",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Engine, RootlessKit, Seen, Tools, Version};

    struct Script(Vec<char>, Vec<String>);

    impl Prompt for Script {
        fn choose(&mut self, _: &str, _: &[&str]) -> Result<char> {
            Ok(self.0.remove(0))
        }

        fn show(&mut self, text: &str) {
            self.1.push(text.to_owned());
        }
    }

    #[test]
    fn an_explanation_is_followed_by_the_question_again() {
        let mut script = Script(vec!['e', 'e', 'y'], Vec::new());
        go_ahead(&mut script, "Go?", Some("because")).unwrap();
        assert_eq!(script.1, ["because", "because"]);
    }

    #[test]
    fn a_no_changes_nothing() {
        let mut script = Script(vec!['n'], Vec::new());
        let error = go_ahead(&mut script, "Go?", None).unwrap_err();
        assert_eq!(error.exit, Exit::NotApplied);
    }

    #[test]
    fn what_a_flag_has_said_is_not_asked() {
        let mut script = Script(Vec::new(), Vec::new());
        let mut request = Request {
            new_networks: Some(NewNetworks::Keep),
            ..Request::default()
        };
        fill(&mut script, &mut request, &system("28.5.2", "2.0.2")).unwrap();
        fill(&mut script, &mut Request::default(), &Facts::default()).unwrap();
    }

    #[test]
    fn where_rootlesskit_has_no_pasta_its_limit_comes_before_the_question() {
        let mut script = Script(vec!['y'], Vec::new());
        let mut request = Request::default();
        fill(&mut script, &mut request, &system("20.10.24", "1.1.0")).unwrap();
        assert_eq!(request.net, Some(Net::Slirp4netns));
        assert!(script.1[0].contains("ping6"), "the limit was shown");

        let mut script = Script(vec!['n'], Vec::new());
        let no = fill(
            &mut script,
            &mut Request::default(),
            &system("20.10.24", "1.1.0"),
        );
        assert_eq!(no.unwrap_err().exit, Exit::NotApplied);
    }

    fn system(engine: &str, rootlesskit: &str) -> Facts {
        let version = |text| Version::find(text).unwrap();
        Facts {
            engine: Seen::Is(Engine {
                version: version(engine),
                ..Engine::default()
            }),
            rootlesskit: Seen::Is(RootlessKit {
                version: Seen::Is(version(rootlesskit)),
                ..RootlessKit::default()
            }),
            tools: Tools {
                libslirp: Seen::Is(version("4.7.0")),
                ..Tools::default()
            },
            ..Facts::default()
        }
    }
}
