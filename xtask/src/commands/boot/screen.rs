//! Finds a text on a screenshot of a console, in any font.
//!
//! Text on a console is a grid of cells. Equal letters have equal cells, and different letters
//! have different cells. So a row shows the text if its cells repeat exactly as the letters do.
//! This needs the size of a cell, but not the font.

use std::ops::Range;

/// Width and height of a cell in pixels: on the kernel's console (the usual size first), in VGA
/// text mode, and with the fonts of console-setup.
const CELLS: [(usize, usize); 14] = [
    (8, 16),
    (9, 16),
    (16, 32),
    (8, 8),
    (8, 14),
    (6, 10),
    (6, 11),
    (7, 14),
    (10, 18),
    (10, 20),
    (11, 22),
    (12, 22),
    (12, 24),
    (14, 28),
];

/// Red, green and blue, a byte each.
pub(crate) type Pixel<'a> = &'a [u8];

/// A screenshot: three bytes per pixel, row by row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picture<'a> {
    width: usize,
    height: usize,
    pixels: &'a [u8],
}

impl<'a> Picture<'a> {
    /// Reads a binary PPM as QEMU writes it: `P6`, width, height, 255, a blank after each.
    pub(crate) fn parse(ppm: &'a [u8]) -> Option<Picture<'a>> {
        let mut rest = ppm;
        let mut word = || {
            let end = rest.iter().position(u8::is_ascii_whitespace)?;
            let word = std::str::from_utf8(&rest[..end]).ok()?;
            rest = &rest[end + 1..];
            Some(word)
        };
        let (kind, width, height, most) = (word()?, word()?, word()?, word()?);
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        let enough = rest.len() == usize::checked_mul(width, height)?.checked_mul(3)?;
        (kind == "P6" && most == "255" && enough).then_some(Picture { width, height, pixels: rest })
    }

    /// In pixels.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// The pixels of a row, counted from the top.
    pub(crate) fn row(&self, y: usize) -> &'a [u8] {
        self.line(y, 0, self.width)
    }

    /// Column and row of the pixel at these fractions of width and height.
    pub(crate) fn at(&self, x: f64, y: f64) -> (usize, usize) {
        ((self.width as f64 * x) as usize, (self.height as f64 * y) as usize)
    }

    /// Returns `true` if a row begins with `line` and a blank.
    pub(crate) fn shows(&self, line: &str) -> bool {
        let text: Vec<char> = line.chars().chain([' ']).collect();
        CELLS.iter().any(|&cell| {
            let fits = text.len() * cell.0 <= self.width;
            fits && (0..self.height / cell.1).any(|row| self.row_begins(row, cell, &text))
        })
    }

    /// Returns `true` if every pixel is the same: nothing is drawn.
    pub(crate) fn is_one_colour(&self) -> bool {
        let first = &self.pixels[..self.pixels.len().min(3)];
        self.pixels.chunks(3).all(|pixel| pixel == first)
    }

    fn row_begins(&self, row: usize, (width, height): (usize, usize), text: &[char]) -> bool {
        let cell = |column: usize| -> Vec<&[u8]> {
            let lines: Range<usize> = row * height..(row + 1) * height;
            lines.map(|y| self.line(y, column * width, width)).collect()
        };
        let cells: Vec<_> = (0..text.len()).map(cell).collect();
        (0..text.len()).all(|i| is_blank(&cells[i]) == (text[i] == ' '))
            && (0..text.len())
                .all(|i| (0..i).all(|j| (cells[i] == cells[j]) == (text[i] == text[j])))
    }

    fn line(&self, y: usize, x: usize, width: usize) -> &'a [u8] {
        &self.pixels[3 * (y * self.width + x)..][..3 * width]
    }
}

fn is_blank(cell: &[&[u8]]) -> bool {
    let first = &cell[0][..3];
    cell.iter().all(|line| line.chunks(3).all(|pixel| pixel == first))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws a screen of 80 × 25 cells with `lines` at the top, in an invented font.
    fn draw(lines: &[&str], (cell_width, cell_height): (usize, usize)) -> Vec<u8> {
        let (width, height) = (80 * cell_width, 25 * cell_height);
        let mut ppm = format!("P6\n{width} {height}\n255\n").into_bytes();
        for y in 0..height {
            for x in 0..width {
                let line = lines.get(y / cell_height).copied().unwrap_or_default();
                let letter = line.chars().nth(x / cell_width).unwrap_or(' ');
                let (dx, dy) = (x % cell_width, y % cell_height);
                // a letter is drawn as its bits, four in a line
                let lit =
                    letter != ' ' && dx < 4 && dy < 2 && (letter as u8 >> (4 * dy + dx)) & 1 == 1;
                ppm.extend([if lit { 0xaa } else { 0 }; 3]);
            }
        }
        ppm
    }

    fn shows(lines: &[&str], cell: (usize, usize), text: &str) -> bool {
        Picture::parse(&draw(lines, cell)).unwrap().shows(text)
    }

    #[test]
    fn a_prompt_is_found_with_every_cell_size() {
        for cell in CELLS {
            let lines = ["Debian GNU/Linux 13 canary tty1", "", "silvermetal-canary login: "];
            assert!(shows(&lines, cell, "silvermetal-canary login:"), "{cell:?}");
        }
    }

    #[test]
    fn an_empty_screen_is_of_one_colour() {
        let of_one =
            |lines: &[&str]| Picture::parse(&draw(lines, (8, 16))).unwrap().is_one_colour();
        assert!(of_one(&[]) && of_one(&["   "]) && !of_one(&["x"]));
    }

    #[test]
    fn other_text_is_not_the_prompt() {
        for line in [
            "",
            "silvermetal-canary logon:",
            "silvermetal-canary login:x",
            " silvermetal-canary login:",
        ] {
            assert!(!shows(&[line], (8, 16), "silvermetal-canary login:"), "{line}");
        }
        let boot = [
            "[ OK ] Started getty@tty1.service - Getty on tty1.",
            "[ OK ] Reached target getty.target",
        ];
        assert!(!shows(&boot, (8, 16), "silvermetal-canary login:"));
    }

    #[test]
    fn a_prompt_with_an_answer_behind_it_is_found() {
        let lines = ["", "localhost login: user (automatic login)", "", "[user ~]%"];
        assert!(shows(&lines, (8, 16), "localhost login:"));
        assert!(!shows(&lines, (8, 16), "debian login:"));
    }

    #[test]
    fn an_incomplete_picture_is_refused() {
        let ppm = draw(&[], (8, 16));
        assert!(Picture::parse(&ppm).is_some());
        for broken in [
            &ppm[..ppm.len() - 1],
            b"P6\n",
            b"",
            b"P5\n1 1\n255\nxxx",
            b"P6\n9999999999999 9999999999999\n255\n",
        ] {
            assert!(Picture::parse(broken).is_none());
        }
    }
}
