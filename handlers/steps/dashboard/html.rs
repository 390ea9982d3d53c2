//! Writing HTML so that nothing can be forgotten to be escaped: markup is what stands in the source, everything else is text.

/// HTML under way.
#[derive(Debug, Default)]
pub struct Html {
    out: String,
}

impl Html {
    /// Markup, which only the source of the program can give.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Anything else, between tags or between the double quotes of an attribute.
    pub fn text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                // Nothing that moves the cursor, or turns around what follows, belongs into a line.
                c if c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => self.out.push('\u{fffd}'),
                c => self.out.push(c),
            }
        }
        self
    }

    /// A place in a drawing.
    pub fn at(&mut self, place: f64) -> &mut Self {
        self.text(&super::words::number((place * 10.0).round() / 10.0))
    }

    /// One cell of a table.
    pub fn cell(&mut self, text: &str) -> &mut Self {
        self.raw("<td>").text(text).raw("</td>")
    }

    /// One cell with a number, or a dash.
    pub fn number(&mut self, text: &str) -> &mut Self {
        self.raw("<td class=\"n\">").text(text).raw("</td>")
    }

    /// A word that says how something does, with its colour.
    pub fn badge(&mut self, mood: Mood, word: &str) -> &mut Self {
        self.raw("<span class=\"badge ").raw(mood.class()).raw("\">").text(word).raw("</span>")
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.out
    }
}

/// How something does, as a colour; a word always stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    /// Nothing to say.
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// To be acted on.
    Bad,
}

impl Mood {
    /// Its class.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// That of a check.
    pub fn of_status(status: &str) -> Self {
        match status {
            "healthy" => Self::Good,
            "degraded" => Self::Warn,
            "unhealthy" => Self::Bad,
            _ => Self::Plain,
        }
    }
}
