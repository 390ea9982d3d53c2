//! Route templates of HTTP functions: `calls/{callConnectionId}/turns`, `tts/{hash?}`.
//!
//! In: the text of `route` in a function.json. Out: which paths it takes and the values of its parameters. Literals
//! match in any case, as in ASP.NET; a literal goes before a parameter where two templates take one path.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter { name: String, optional: bool },
}

impl Route {
    /// Parses a template; the error says what is wrong with it.
    pub fn parse(template: &str) -> Result<Self, String> {
        if template.is_empty() || template.starts_with('/') || template.ends_with('/') {
            return Err(format!("\"{template}\" must be a path without a slash at its ends, such as calls/{{id}}/turns"));
        }
        let segments = template.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        for (at, segment) in segments.iter().enumerate() {
            let Segment::Parameter { name, optional } = segment else { continue };
            if *optional && segments[at + 1..].iter().any(|s| !matches!(s, Segment::Parameter { optional: true, .. })) {
                return Err(format!("{{{name}?}} is optional and must stand at the end, before other optional segments alone"));
            }
            if segments[..at].iter().any(|s| matches!(s, Segment::Parameter { name: other, .. } if other == name)) {
                return Err(format!("{{{name}}} stands twice"));
            }
        }
        Ok(Self { segments })
    }

    /// The parameters of a path (percent-encoded, without slashes at its ends), or none where it does not match.
    pub fn matches(&self, path: &str) -> Option<BTreeMap<String, String>> {
        let mut given = path.split('/').filter(|_| !path.is_empty());
        let mut parameters = BTreeMap::new();
        for segment in &self.segments {
            match (segment, given.next()) {
                (Segment::Literal(literal), Some(text)) if decoded(text)?.eq_ignore_ascii_case(literal) => {}
                (Segment::Parameter { name, .. }, Some(text)) if !text.is_empty() => {
                    parameters.insert(name.clone(), decoded(text)?);
                }
                (Segment::Parameter { optional: true, .. }, None) => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(parameters)
    }

    /// Orders templates so that the most particular comes first: literals before parameters, from the left.
    pub fn precedence(&self) -> Vec<u8> {
        let weight = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::Parameter { optional: false, .. } => 1,
            Segment::Parameter { optional: true, .. } => 2,
        };
        self.segments.iter().map(weight).collect()
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        let sound = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            Some(inner) => {
                let (name, optional) = inner.strip_suffix('?').map_or((inner, false), |name| (name, true));
                if sound(name) {
                    Ok(Self::Parameter { name: name.to_owned(), optional })
                } else {
                    Err(format!("{{{inner}}} must be a plain name, with ? at its end where it is optional (no constraints, no *)"))
                }
            }
            None if text.is_empty() || text.contains(['{', '}', '?', '*', ':']) => Err(format!("segment \"{text}\" must be plain text or one {{name}}")),
            None => Ok(Self::Literal(text.to_owned())),
        }
    }
}

/// The segment without its percent signs; none where they do not make UTF-8.
fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
