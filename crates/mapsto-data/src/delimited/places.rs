//! Where the rows of a table begin: found in threads, a piece of the text each.

use super::cells::{Cells, row_at};
use mapsto_kernels::threads::parallel;
use std::sync::{Mutex, PoisonError};

/// Bytes of a piece. It is the same for any number of threads.
const PIECE: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// The rows of a piece, and the first that has another number of cells: where it begins and how many it has.
type Found = (Vec<usize>, Option<(usize, usize)>);

/// Where each row begins that begins at `from` or behind it.
///
/// # Errors
/// The first row whose cells are not `columns`: where it begins, and how many it has.
pub(super) fn of_rows(
    text: &[u8],
    from: usize,
    delimiter: u8,
    columns: usize,
) -> Result<Vec<usize>, (usize, usize)> {
    let mut ends = Vec::new();
    let mut at = from;
    // Within quotes a line's end may belong to a cell, so that only a walk from the beginning tells where rows begin.
    let is_quoted = text.contains(&b'"');
    while at < text.len() {
        let near = text.len().min(at + PIECE);
        at = match is_quoted {
            true => text.len(),
            false => text[near..].iter().position(|b| b"\n\r".contains(b)).map_or(text.len(), |n| near + n),
        };
        ends.push(at);
    }
    let found: Vec<Mutex<Found>> = ends.iter().map(|_| Mutex::default()).collect();
    parallel(ends.len(), text.len().saturating_mul(2), |piece| {
        let begin = if piece == 0 { from } else { ends[piece - 1] };
        let rows = of_piece(&text[..ends[piece]], begin, delimiter, columns);
        *found[piece].lock().unwrap_or_else(PoisonError::into_inner) = rows;
    });
    let mut starts = Vec::new();
    for piece in found {
        let (rows, wrong) = piece.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        starts.extend(rows);
    }
    Ok(starts)
}

fn of_piece(text: &[u8], mut at: usize, delimiter: u8, columns: usize) -> Found {
    let mut starts = Vec::new();
    while let Some(start) = row_at(text, at) {
        let mut cells = Cells::of(text, start, delimiter);
        let n = cells.count_all();
        if n != columns {
            return (starts, Some((start, n)));
        }
        starts.push(start);
        at = cells.end();
    }
    (starts, None)
}

#[test]
fn pieces_find_the_rows_that_one_walk_finds() {
    for (end, quoted) in [("\n", false), ("\r\n", false), ("\r", false), ("\n\n", false), ("\n", true)] {
        let cell = |i: usize| {
            if quoted && i.is_multiple_of(7) { "\"a\nb\"".to_string() } else { i.pow(3).to_string() }
        };
        let rows: Vec<String> = (0..500).map(|i| format!("{},{}{end}", cell(i), i % 3)).collect();
        let text = rows.concat();
        let one = of_piece(text.as_bytes(), 0, b',', 2);
        assert_eq!((one.0.len(), one.1), (500, None));
        for threads in [1, 2, 3] {
            let read = |text: &str| {
                mapsto_kernels::threads::with_threads(threads, || of_rows(text.as_bytes(), 0, b',', 2))
            };
            assert_eq!(read(&text), Ok(one.0.clone()));
            let wrong = [rows[..300].concat(), format!("1,2,3{end}4{end}"), rows[300..].concat()].concat();
            assert_eq!(read(&wrong), Err((rows[..300].concat().len(), 3)));
        }
    }
}
