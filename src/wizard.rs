//! The wizard: asks only for what a request leaves open and for a yes.

use dialoguer::Input;
use dialoguer::console::Term;
use dialoguer::theme::SimpleTheme;

use crate::error::{Error, Exit, Result};
use crate::request::{NewNetworks, Request};

/// Somebody who answers.
pub trait Prompt {
    /// Asks one question; the answer is one of the choices' first letters, typed or in full.
    ///
    /// # Errors
    /// Exit 130 when the person interrupts.
    fn choose(&mut self, question: &str, choices: &[&str]) -> Result<char>;
    /// Shows a text.
    fn show(&mut self, text: &str);
}

/// The terminal: questions on stderr, so that stdout stays for results.
#[derive(Debug, Clone, Copy)]
pub struct Terminal;

impl Prompt for Terminal {
    fn choose(&mut self, question: &str, choices: &[&str]) -> Result<char> {
        let letters: Vec<char> = choices
            .iter()
            .filter_map(|choice| choice.chars().next())
            .collect();
        let named: Vec<String> = choices
            .iter()
            .zip(&letters)
            .map(|(choice, letter)| format!("({letter}){}", &choice[letter.len_utf8()..]))
            .collect();
        let shown = choices.to_vec().join(", ");
        let answer = Input::<String>::with_theme(&SimpleTheme)
            .with_prompt(format!("{question} {}", named.join(", ")))
            .validate_with(|answer: &String| {
                let word = answer.trim().to_lowercase();
                let known = choices
                    .iter()
                    .any(|choice| !word.is_empty() && choice.starts_with(&word));
                if known {
                    Ok(())
                } else {
                    Err(format!("answer one of: {shown}"))
                }
            })
            .interact_text_on(&Term::stderr());
        match answer {
            Ok(answer) => Ok(answer.trim().to_lowercase().chars().next().unwrap_or('n')),
            Err(error) => {
                let _ = Term::stderr().show_cursor();
                let _ = Term::stderr().write_line("");
                Err(
                    Error::new(Exit::Interrupted, "interrupted: nothing was changed")
                        .caused_by(error),
                )
            }
        }
    }

    fn show(&mut self, text: &str) {
        let _ = Term::stderr().write_line(text);
    }
}

/// Fills what is open and worth asking: what has one sensible answer here is not.
///
/// # Errors
/// Exit 130 when the person interrupts.
pub fn fill(prompt: &mut dyn Prompt, request: &mut Request, new_networks: bool) -> Result<()> {
    if request.new_networks.is_none() && new_networks {
        let question = "Shall networks that are made from now on have IPv6 too?";
        request.new_networks = Some(match prompt.choose(question, &["yes", "no"])? {
            'y' => NewNetworks::Ipv6,
            _ => NewNetworks::Keep,
        });
    }
    Ok(())
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
        fill(&mut script, &mut request, true).unwrap();
        fill(&mut script, &mut Request::default(), false).unwrap();
    }
}
