//! `named!`: enums whose values have a stored number and a name.

/// An enum of unit variants with a stored number and a name each; adding one is one line.
macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $($(#[$note])* $variant = $code,)+ }

        impl $name {
            /// Every value, in the order of its stored number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in outputs, queries and settings.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The number that is stored.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value that is stored as `code`, if any is.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.pad(self.as_str())
            }
        }
    };
}
pub(crate) use named;
