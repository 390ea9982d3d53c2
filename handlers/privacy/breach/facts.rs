//! What is known of a breach, and what Art. 33(3) asks for.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::given::Given;
use crate::error::{Error, Result};
use crate::model::time::Timestamp;

/// What was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Somebody saw what they should not have.
    Confidentiality,
    /// Somebody changed it.
    Integrity,
    /// It was lost, or out of reach.
    Availability,
}

/// How many people are concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subjects {
    /// At least.
    pub low: u64,
    /// At most.
    pub high: u64,
    /// How that is known.
    pub basis: String,
}

/// Whether a key was exposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exposed {
    /// It was.
    Yes,
    /// It was not.
    No,
    /// Nobody knows.
    Unknown,
}

/// What was encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Encrypted {
    /// The fields.
    pub fields: Vec<String>,
    /// Whether the key was exposed with them.
    pub key_exposed: Exposed,
    /// How that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

/// Where more can be learnt: the data protection officer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Name or role.
    pub name: String,
    /// How to reach them.
    pub reach: String,
}

/// As what we processed the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// For ourselves.
    Controller,
    /// For others, who must be told without undue delay (Art. 33(2)).
    Processor,
}

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident $wire:literal: $type:ty, $needs:literal;)+) => {
        /// What is known; everything may still be missing.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Facts {
            $($(#[$doc])* #[serde(default, rename = $wire, skip_serializing_if = "Option::is_none")] pub $name: Option<$type>,)+
        }

        impl Facts {
            /// Takes what is given; the names of the fields that were there. Nothing is changed where one of them is wrong.
            pub fn merge(&mut self, given: &mut Given) -> Result<Vec<&'static str>> {
                let mut merged = self.clone();
                let mut names = Vec::new();
                $(if let Some(value) = given.take::<$type>($wire, $needs)? {
                    merged.$name = Some(value);
                    names.push($wire);
                })+
                merged.check()?;
                *self = merged;
                Ok(names)
            }
        }
    };
}

facts! {
    /// What happened.
    nature "nature": String, "must be a text";
    /// When it began.
    occurred_from "occurredFrom": Timestamp, "must be an RFC 3339 time";
    /// When it ended.
    occurred_to "occurredTo": Timestamp, "must be an RFC 3339 time";
    /// What was broken.
    kinds "type": Vec<Kind>, "must be a list of confidentiality, integrity, availability";
    /// Systems that it touched.
    systems "systems": Vec<String>, "must be a list of texts";
    /// Categories of personal data.
    data_categories "dataCategories": Vec<String>, "must be a list of texts";
    /// How many people.
    subjects "subjectsEst": Subjects, "must be {\"low\", \"high\", \"basis\"}";
    /// How many records.
    records "recordsEst": u64, "must be a whole number";
    /// Whether special categories of data (Art. 9) are among them.
    special_category "specialCategory": bool, "must be true or false";
    /// What was encrypted.
    encrypted "encrypted": Encrypted, "must be {\"fields\": [...], \"keyExposed\": \"yes|no|unknown\", \"evidence\"?}";
    /// Where more can be learnt.
    contact "contact": Contact, "must be {\"name\", \"reach\"}";
    /// Likely consequences.
    consequences "consequences": String, "must be a text";
    /// What was done about it.
    measures_taken "measuresTaken": Vec<String>, "must be a list of texts";
    /// What will be done about it.
    measures_planned "measuresPlanned": Vec<String>, "must be a list of texts";
    /// As what we processed the data.
    role "role": Role, "must be controller or processor";
    /// Controllers who were told.
    controllers_notified "controllersNotified": Vec<String>, "must be a list of texts";
    /// Why it could happen.
    root_cause "rootCause": String, "must be a text";
    /// What follows from it.
    lessons "lessons": String, "must be a text";
}

impl Facts {
    fn check(&self) -> Result<()> {
        if let (Some(from), Some(to)) = (self.occurred_from, self.occurred_to)
            && to < from
        {
            return Err(Error::input("occurredTo", "must not be before occurredFrom"));
        }
        match &self.subjects {
            Some(subjects) if subjects.high < subjects.low => Err(Error::input("subjectsEst", "must have high at least as large as low")),
            _ => Ok(()),
        }
    }

    /// What Art. 33(3) a to d ask for and is not here.
    pub fn missing(&self) -> Vec<&'static str> {
        let text = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.trim().is_empty());
        let list = |empty: Option<bool>| empty == Some(false);
        let mut missing = Vec::new();
        let mut ask = |there: bool, name: &'static str| {
            if !there {
                missing.push(name);
            }
        };
        ask(text(&self.nature), "nature");
        ask(list(self.kinds.as_ref().map(Vec::is_empty)), "type");
        ask(list(self.data_categories.as_ref().map(Vec::is_empty)), "dataCategories");
        ask(self.subjects.is_some(), "subjectsEst");
        ask(self.records.is_some(), "recordsEst");
        ask(self.contact.is_some(), "contact");
        ask(text(&self.consequences), "consequences");
        let measures = [&self.measures_taken, &self.measures_planned].into_iter().flatten().any(|m| !m.is_empty());
        ask(measures, "measuresTaken");
        missing
    }

    /// What a notification tells, as JSON.
    pub fn notice(&self) -> Value {
        json!({
            "nature": self.nature, "type": self.kinds, "occurredFrom": self.occurred_from, "occurredTo": self.occurred_to, "systems": self.systems,
            "dataCategories": self.data_categories, "subjectsEst": self.subjects, "recordsEst": self.records, "specialCategory": self.special_category,
            "contact": self.contact, "consequences": self.consequences, "measuresTaken": self.measures_taken, "measuresPlanned": self.measures_planned,
        })
    }
}
