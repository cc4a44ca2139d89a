//! `Palette`: how states and figures are dressed, with colours or without.

use ratatui::style::{Color, Modifier, Style};

/// Figures.
pub(super) const FIGURE: Style = Style::new().add_modifier(Modifier::BOLD);
/// What is chosen.
pub(super) const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);

/// How things are dressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Palette {
    is_coloured: bool,
}

impl Palette {
    /// With colours.
    pub(super) const COLOUR: Self = Self { is_coloured: true };
    /// Without any, as `NO_COLOR` asks for.
    pub(super) const PLAIN: Self = Self { is_coloured: false };

    fn of(self, colour: Color) -> Style {
        if self.is_coloured { Style::new().fg(colour) } else { Style::new() }
    }

    /// The style of a state.
    pub(super) fn state(self, state: &str) -> Style {
        match state {
            "up" => self.of(Color::Green),
            "warning" => self.of(Color::Yellow),
            "down" => self.of(Color::Red).add_modifier(Modifier::BOLD),
            "unknown" => self.of(Color::Magenta),
            _ => self.dim(),
        }
    }

    /// What is there to be noticed second.
    pub(super) fn dim(self) -> Style {
        if self.is_coloured {
            Style::new().fg(Color::DarkGray)
        } else {
            Style::new().add_modifier(Modifier::DIM)
        }
    }

    /// Charts and what goes with them.
    pub(super) fn accent(self) -> Style {
        self.of(Color::Cyan)
    }

    /// What is wrong with the daemon itself.
    pub(super) fn alarm(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }
}

/// The letter of a state, for those who see no colours.
pub(super) fn letter(state: &str) -> &'static str {
    match state {
        "up" => "U",
        "warning" => "W",
        "down" => "D",
        "unknown" => "?",
        "paused" => "P",
        _ => "-",
    }
}
