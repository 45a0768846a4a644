//! An AMF0 value in memory.

/// An AMF0 value (AMF0, 2.2 to 2.18).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A number.
    Number(f64),
    /// A boolean.
    Boolean(bool),
    /// A string or long string. Bytes that are not UTF-8 are replaced by U+FFFD: old encoders write their local code page.
    String(String),
    /// An anonymous object, its properties in order.
    Object(Vec<(String, Self)>),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// A reference to an earlier object of the same message, by index. It is kept as the index.
    Reference(u16),
    /// An ECMA array, its properties in order.
    EcmaArray(Vec<(String, Self)>),
    /// A strict array.
    StrictArray(Vec<Self>),
    /// A date.
    Date {
        /// Milliseconds since the Unix epoch.
        millis: f64,
        /// The time zone, which the specification reserves and sets to 0.
        zone: i16,
    },
    /// The "unsupported" marker.
    Unsupported,
    /// An XML document as text.
    Xml(String),
    /// An object with its class name.
    Typed(String, Vec<(String, Self)>),
}

impl Value {
    /// The number, where this is one.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, where this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The properties, where this is an object, a typed object or an ECMA array.
    #[must_use]
    pub fn properties(&self) -> Option<&[(String, Self)]> {
        match self {
            Self::Object(properties) | Self::EcmaArray(properties) | Self::Typed(_, properties) => {
                Some(properties)
            }
            _ => None,
        }
    }

    /// The elements, where this is a strict array.
    #[must_use]
    pub fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::StrictArray(elements) => Some(elements),
            _ => None,
        }
    }

    /// The first property of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.properties()?
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}
