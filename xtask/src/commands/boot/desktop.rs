//! Recognizes a desktop on the screen: a panel along an edge, and a pointer that follows the mouse.
//!
//! Both are asked for, because a splash screen can have a bar, and a compositor that has started nothing has a
//! pointer. A graphical login screen with a bar looks the same: the screenshot tells.

use super::screen::{Picture, Pixel};
use std::collections::{HashMap, HashSet};

/// Least and greatest height of a panel in pixels. LXQt's has 32 by default.
const LEAST: usize = 16;
const GREATEST: usize = 96;
/// Fewest colours of what is on a panel: icons and smoothed letters have more, a bar or a text console has fewer.
const COLOURS: usize = 16;
/// Least difference of two pixels at the edge of a panel, summed over red, green and blue. From row to row, the
/// gradients that desktops have as background differ by less than 10.
const EDGE: u32 = 24;

/// A place on the screen, in fractions of its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MousePlace {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// The places of the mouse, one after the other. It returns to the first, so that what merely changes on the screen
/// is no pointer.
pub(crate) const PLACES: [MousePlace; 3] = [HERE, THERE, HERE];
const HERE: MousePlace = MousePlace { x: 0.3, y: 0.4 };
const THERE: MousePlace = MousePlace { x: 0.6, y: 0.7 };

/// Pixels around a place in which a pointer is drawn: before it, and behind it. An arrow's tip is its place.
const BEFORE: usize = 8;
const BEHIND: usize = 24;

/// Returns the edge along which the picture has a panel: a band over the whole width that ends at a sharp line, in
/// which every row has one main colour, and on which there is something.
pub(crate) fn panel(picture: &Picture<'_>) -> Option<&'static str> {
    let height = picture.height();
    let greatest = GREATEST.min(height / 4);
    let is_panel = |rows: &[usize], beyond: usize| {
        let last = rows[rows.len() - 1];
        ends_at_a_line(picture.row(last), picture.row(beyond))
            && colours_upon(picture, rows).is_some_and(|colours| colours >= COLOURS)
    };
    let lower: Vec<usize> = (0..height).rev().take(greatest).collect();
    let upper: Vec<usize> = (0..height).take(greatest).collect();
    let along = |rows: &[usize]| (LEAST..greatest).any(|band| is_panel(&rows[..band], rows[band]));
    match (along(&lower), along(&upper)) {
        (true, _) => Some("lower"),
        (false, true) => Some("upper"),
        (false, false) => None,
    }
}

/// Returns `true` if nine in ten pixels differ clearly from their neighbours in the other row.
fn ends_at_a_line(row: &[u8], beyond: &[u8]) -> bool {
    let differs = |(a, b): &(Pixel<'_>, Pixel<'_>)| {
        let channels = a.iter().zip(b.iter());
        channels.map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>() >= EDGE
    };
    let differ = row.chunks_exact(3).zip(beyond.chunks_exact(3)).filter(differs).count();
    differ * 10 >= row.len() / 3 * 9
}

/// The colour that covers a third of the row or more.
fn main_colour(row: &[u8]) -> Option<Pixel<'_>> {
    let mut counts: HashMap<Pixel<'_>, usize> = HashMap::new();
    row.chunks_exact(3).for_each(|pixel| *counts.entry(pixel).or_default() += 1);
    let (colour, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count * 3 >= row.len() / 3).then_some(colour)
}

/// Number of colours on the rows, without the main colour of each. None if a row has no main colour.
fn colours_upon(picture: &Picture<'_>, rows: &[usize]) -> Option<usize> {
    let mut colours = HashSet::new();
    for row in rows {
        let row = picture.row(*row);
        let main = main_colour(row)?;
        colours.extend(row.chunks_exact(3).filter(|pixel| *pixel != main));
    }
    Some(colours.len())
}

/// Returns `true` if a pointer was at the mouse's place in each of the pictures, which were taken with the mouse at
/// [`PLACES`].
pub(crate) fn pointer_follows(pictures: &[Picture<'_>; PLACES.len()]) -> bool {
    let [first, second, again] = pictures.each_ref().map(|picture| around(picture, HERE));
    let [before, there, after] = pictures.each_ref().map(|picture| around(picture, THERE));
    let came_back = first != second && first == again;
    let was_there = before != there && before == after;
    came_back && was_there && !first.is_empty()
}

/// The pixels around a place, row by row.
fn around<'a>(picture: &Picture<'a>, place: MousePlace) -> Vec<Pixel<'a>> {
    let (x, y) = picture.at(place.x, place.y);
    let columns = x.saturating_sub(BEFORE)..(x + BEHIND).min(picture.width());
    let rows = y.saturating_sub(BEFORE)..(y + BEHIND).min(picture.height());
    rows.flat_map(|row| picture.row(row).chunks_exact(3).skip(columns.start).take(columns.len()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 320;
    const HEIGHT: usize = 200;

    /// A screen as a PPM, drawn by a function of column and row.
    fn draw(colour: impl Fn(usize, usize) -> [u8; 3]) -> Vec<u8> {
        let mut ppm = format!("P6\n{WIDTH} {HEIGHT}\n255\n").into_bytes();
        for y in 0..HEIGHT {
            for x in 0..WIDTH {
                ppm.extend(colour(x, y));
            }
        }
        ppm
    }

    fn panel_of(ppm: &[u8]) -> Option<&'static str> {
        panel(&Picture::parse(ppm).unwrap())
    }

    /// Pixels as a photograph has them.
    fn photograph(x: usize, y: usize) -> [u8; 3] {
        let noise = (x * 7919 + y * 104_729 + x * y) % 251;
        [noise as u8, (noise / 2) as u8, (x % 256) as u8]
    }

    /// A panel with an icon on its left, with the smooth colours that icons have.
    fn bar(x: usize, y: usize) -> [u8; 3] {
        if x < 60 && y % 32 > 4 { [(4 * x) as u8, 30, 60] } else { [40, 40, 44] }
    }

    #[test]
    fn a_panel_is_found_along_either_edge_on_any_background() {
        for background in [|_, _| [0; 3], photograph as fn(usize, usize) -> [u8; 3]] {
            let lower = draw(|x, y| if y >= HEIGHT - 32 { bar(x, y) } else { background(x, y) });
            assert_eq!(panel_of(&lower), Some("lower"));
            let upper = draw(|x, y| if y < 28 { bar(x, y) } else { background(x, y) });
            assert_eq!(panel_of(&upper), Some("upper"));
        }
    }

    #[test]
    fn what_is_no_panel() {
        let text = |x: usize, y: usize| if x % 9 < 4 && y % 16 < 9 { [170; 3] } else { [0; 3] };
        let empty_bar = |_, y| if y >= HEIGHT - 32 { [40, 40, 44] } else { [0; 3] };
        // a line around a menu, as GRUB draws it
        let menu = |x, y| if y == HEIGHT - 40 && x > 8 { [170; 3] } else { text(x, y) };
        // a bar that shows how far something is
        let narrow = |x, y| if y >= HEIGHT - 32 && x < 200 { bar(x, y) } else { [0; 3] };
        // a background from dark to light, with an icon near its upper edge, before any panel is there
        let gradient = |x, y: usize| {
            if x < 40 && (30..60).contains(&y) {
                bar(x, y)
            } else {
                [60 + y as u8 / 2, 20 + y as u8, 120]
            }
        };
        // two pictures, one below the other
        let two = |x, y| if y >= HEIGHT - 32 { photograph(x + 3, y) } else { photograph(y, x) };
        let drawn = [
            draw(|_, _| [0; 3]),
            draw(photograph),
            draw(text),
            draw(empty_bar),
            draw(menu),
            draw(narrow),
            draw(gradient),
            draw(two),
        ];
        for (number, ppm) in drawn.iter().enumerate() {
            assert_eq!(panel_of(ppm), None, "number {number}");
        }
        let small = b"P6\n2 2\n255\nxxxxxxxxxxxx";
        assert_eq!(panel_of(small), None);
    }

    /// A screen with an arrow at a place, on a background that may change from picture to picture.
    fn with_arrow(place: Option<MousePlace>, background: [u8; 3]) -> Vec<u8> {
        let at = place
            .map(|place| ((WIDTH as f64 * place.x) as usize, (HEIGHT as f64 * place.y) as usize));
        draw(|x, y| match at {
            Some((left, top)) if x >= left && y >= top && x - left < 10 && y - top < 16 => [255; 3],
            _ => background,
        })
    }

    fn follows(ppms: &[Vec<u8>; 3]) -> bool {
        pointer_follows(&ppms.each_ref().map(|ppm| Picture::parse(ppm).unwrap()))
    }

    #[test]
    fn a_pointer_follows_the_mouse() {
        assert!(follows(&PLACES.map(|place| with_arrow(Some(place), [0; 3]))));
    }

    #[test]
    fn what_follows_no_mouse_is_no_pointer() {
        let still = with_arrow(Some(HERE), [0; 3]);
        let none = with_arrow(None, [0; 3]);
        let [here, there] = [HERE, THERE].map(|place| with_arrow(Some(place), [0; 3]));
        let changing = [[0; 3], [1; 3], [2; 3]].map(|colour| with_arrow(None, colour));
        for pictures in [
            [still.clone(), still.clone(), still],
            [none.clone(), none.clone(), none.clone()],
            // it does not come back
            [here.clone(), there.clone(), there.clone()],
            // something blinks at one of the places
            [here.clone(), none.clone(), here.clone()],
            [none.clone(), there, none],
            changing,
        ] {
            assert!(!follows(&pictures));
        }
    }
}
