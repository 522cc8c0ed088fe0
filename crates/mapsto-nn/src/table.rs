//! What embeddings share: rows of a table, shortened when they are used, whose gradients may be divided by how often they were.

use crate::Param;
use mapsto_spec::{Args, Bounds, Entry};
use mapsto_tensor::{DType, Result, Tensor, is_recomputing, is_recording, is_training, keep, no_grad};
use std::sync::{Mutex, PoisonError};

/// How rows are taken from a table.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) max_norm: Option<f64>,
    pub(crate) norm_type: f64,
    pub(crate) by_frequency: bool,
    /// True for each row that was used in training and is not shortened in the table yet; empty where none was.
    used: Mutex<Vec<bool>>,
}

impl Rows {
    /// As they are.
    pub(crate) fn plain() -> Rows {
        Rows { max_norm: None, norm_type: 2.0, by_frequency: false, used: Mutex::default() }
    }

    /// The rows of the ids `[..]` of a table `[count, size]`: `[.., size]`.
    ///
    /// What is given is the shortened row, whose gradient is that of the row itself, as if the table had been written before. It is
    /// written by [`write`](Rows::write), when somebody is lent the table to be changed: a forward pass may only read it.
    #[track_caller]
    pub(crate) fn of(&self, x: &Tensor, table: &Param) -> Tensor {
        let y = x.embedding(table);
        let value = match self.max_norm {
            Some(most) => no_grad(|| self.shortened(&y.detach(), most)),
            None if self.by_frequency => y.detach(),
            None => return y,
        };
        if !is_recording() {
            return value;
        }
        if self.max_norm.is_some() && is_training() && !is_recomputing() {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.resize(table.shape()[0], false);
            x.to(DType::I64).to_vec::<i64>().into_iter().for_each(|id| used[id as usize] = true);
        }
        let graded = if self.by_frequency {
            let count = x.to(DType::I64).reshape([x.len()]).bincount(table.shape()[0]).to(y.dtype());
            &y / x.embedding(&count.unsqueeze(1))
        } else {
            y
        };
        // The value to the bit, with the gradient of the other.
        value + (&graded - graded.detach())
    }

    /// Rows `[.., size]` that are longer than `most` brought to that length.
    fn shortened(&self, rows: &Tensor, most: f64) -> Tensor {
        let wide = if rows.dtype().size() < 4 { rows.to(DType::F32) } else { rows.clone() };
        let length = wide.norm(self.norm_type, keep(-1));
        // PyTorch's, which stays a little below `most`, so that nothing is shortened twice.
        let scale = (most / (&length + 1e-7)).masked_fill(&length.le(most), 1.0);
        (wide * scale).to(rows.dtype())
    }

    /// Writes the rows that were used in training since the last time to the table, shortened.
    pub(crate) fn write(&mut self, table: &mut Param) {
        let used = std::mem::take(self.used.get_mut().unwrap_or_else(PoisonError::into_inner));
        let (Some(most), false) = (self.max_norm, used.is_empty()) else { return };
        let ids: Vec<i64> = (0..).zip(used).filter(|(_, used)| *used).map(|(id, _)| id).collect();
        let device = table.device();
        no_grad(|| {
            let ids = Tensor::from_vec(ids.clone(), [ids.len()]).to_device(device);
            let rows = self.shortened(&table.detach().index_select(0, &ids), most);
            table.update(|leaf| leaf.replace(&leaf.detach().index_copy(0, &ids, &rows)));
        });
    }

    /// What an entry says of them.
    pub(crate) fn said(&self, entry: Entry) -> Entry {
        let entry = match self.max_norm {
            Some(most) => entry.with_option("max_norm", most).with_option("norm_type", self.norm_type),
            None => entry,
        };
        entry.with_option("scale_grad_by_freq", self.by_frequency)
    }

    /// What the options of an entry say.
    pub(crate) fn read(args: &mut Args) -> Result<Rows> {
        let max_norm = Bounds::ABOVE_0.optional(args, "max_norm")?;
        let norm_type = match max_norm {
            Some(_) => Bounds::ABOVE_0.option(args, "norm_type", 2.0)?,
            None => match Bounds::ABOVE_0.optional(args, "norm_type")? {
                Some(_) => {
                    let message = "`norm_type` is how `max_norm` measures rows, and there is none";
                    return Err(args
                        .error("norm_type", message)
                        .help("add `max_norm = 1.0`, or leave it out"));
                }
                None => 2.0,
            },
        };
        let by_frequency = args.get_or("scale_grad_by_freq", false)?;
        Ok(Rows { max_norm, norm_type, by_frequency, ..Rows::plain() })
    }

    /// What a layer's description says of them.
    pub(crate) fn words(&self) -> String {
        let norm = match self.norm_type {
            2.0 => String::new(),
            p => format!(" of type {}", mapsto_spec::brief(p)),
        };
        let most = self.max_norm.map(|most| format!(", max norm {}{norm}", mapsto_spec::brief(most)));
        most.unwrap_or_default() + if self.by_frequency { ", gradients by frequency" } else { "" }
    }
}

impl Clone for Rows {
    fn clone(&self) -> Rows {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Rows { used: Mutex::new(used), ..*self }
    }
}
