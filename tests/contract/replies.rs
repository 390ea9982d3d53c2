//! The contract of the replies port, on the scripted agent and on Azure OpenAI against a strict stand-in.

mod azure;
mod mutations;
mod scripted;
mod spoken;

use rtvoice::model::conversation::{Entry, Words};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::replies::Prompt;

/// A prompt with nothing but words.
fn says(text: &str) -> Prompt<'_> {
    Prompt { text, language: None, history: &[], auth: None, profile: None }
}

fn entry(user: Option<&str>, assistant: Option<&str>) -> Entry {
    Entry {
        turn_id: "t".into(),
        at: Timestamp::from_millis(0),
        words: Words { user: user.map(Into::into), assistant: assistant.map(Into::into), ..Words::default() },
        ..Entry::default()
    }
}
