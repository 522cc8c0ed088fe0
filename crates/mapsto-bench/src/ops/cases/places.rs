//! Operations on sequences, images and volumes of places: pools, other sizes and grids.

use super::inputs::*;
use super::{Case, flat, smooth};
use mapsto::backend::Window;
use mapsto::ops::{Ends, GridSample, Interpolation, Pool1d, Pool2d, Pool3d, Resize};

pub static CASES: &[Case] = &[
    smooth("adaptive_avg_pool2d", pooled, |x| x[0].adaptive_avg_pool2d(1), "F.adaptive_avg_pool2d(a, 1)"),
    smooth("adaptive_max_pool2d", pooled, |x| x[0].adaptive_max_pool2d(2), "F.adaptive_max_pool2d(a, 2)"),
    smooth("avg_pool2d", pooled, |x| x[0].avg_pool2d(2), "F.avg_pool2d(a, 2)"),
    smooth("max_pool2d", pooled, |x| x[0].max_pool2d(2), "F.max_pool2d(a, 2)"),
    smooth(
        "window",
        pooled,
        |x| x[0].window(Window::new([2, 2])).reshape([x[0].shape()[0] as i64, -1]),
        "F.unfold(a, 2).flatten(1)",
    ),
    smooth("avg_pool1d", along_places, |x| x[0].avg_pool1d(2), "F.avg_pool1d(a, 2)"),
    smooth("avg_pool3d", in_volumes, |x| x[0].avg_pool3d(2), "F.avg_pool3d(a, 2)"),
    smooth("max_pool1d", along_places, |x| x[0].max_pool1d(2), "F.max_pool1d(a, 2)"),
    smooth("max_pool3d", in_volumes, |x| x[0].max_pool3d(2), "F.max_pool3d(a, 2)"),
    flat(
        "max_pool3d_with_indices",
        in_volumes,
        |x| x[0].max_pool3d_with_indices(Pool3d::new(2)).1,
        "F.max_pool3d(a, 2, return_indices=True)[1]",
    ),
    smooth("lp_pool1d", along_places, |x| x[0].lp_pool1d(2.0, Pool1d::new(2)), "F.lp_pool1d(a, 2.0, 2)"),
    smooth("lp_pool2d", pooled, |x| x[0].lp_pool2d(2.0, Pool2d::new(2)), "F.lp_pool2d(a, 2.0, 2)"),
    smooth("lp_pool3d", in_volumes, |x| x[0].lp_pool3d(2.0, Pool3d::new(2)), "F.lp_pool3d(a, 2.0, 2)"),
    smooth(
        "adaptive_avg_pool1d",
        along_places,
        |x| x[0].adaptive_avg_pool1d(3),
        "F.adaptive_avg_pool1d(a, 3)",
    ),
    smooth(
        "adaptive_max_pool1d",
        along_places,
        |x| x[0].adaptive_max_pool1d(3),
        "F.adaptive_max_pool1d(a, 3)",
    ),
    smooth("adaptive_avg_pool3d", in_volumes, |x| x[0].adaptive_avg_pool3d(1), "F.adaptive_avg_pool3d(a, 1)"),
    smooth("adaptive_max_pool3d", in_volumes, |x| x[0].adaptive_max_pool3d(2), "F.adaptive_max_pool3d(a, 2)"),
    flat(
        "adaptive_max_pool3d_with_indices",
        in_volumes,
        |x| x[0].adaptive_max_pool3d_with_indices(2).1,
        "F.adaptive_max_pool3d(a, 2, return_indices=True)[1]",
    ),
    smooth(
        "max_unpool1d",
        unpooled1,
        |x| x[0].max_unpool1d(&x[1], Pool1d::new(2)),
        "F.max_unpool1d(a, b, 2)",
    ),
    smooth(
        "max_unpool2d",
        unpooled2,
        |x| x[0].max_unpool2d(&x[1], Pool2d::new(2)),
        "F.max_unpool2d(a, b, 2)",
    ),
    smooth(
        "max_unpool3d",
        unpooled3,
        |x| x[0].max_unpool3d(&x[1], Pool3d::new(2)),
        "F.max_unpool3d(a, b, 2)",
    ),
    smooth(
        "interpolate",
        pooled,
        |x| x[0].interpolate(&Resize::by([2.0])),
        "F.interpolate(a, scale_factor=2)",
    ),
    smooth(
        "interpolate/linear",
        along_places,
        |x| x[0].interpolate(&Resize::by([2.0]).mode(Interpolation::Linear)),
        "F.interpolate(a, scale_factor=2, mode='linear')",
    ),
    smooth(
        "interpolate/bilinear",
        pooled,
        |x| x[0].interpolate(&Resize::by([2.0]).mode(Interpolation::Bilinear)),
        "F.interpolate(a, scale_factor=2, mode='bilinear')",
    ),
    smooth(
        "interpolate/bicubic",
        pooled,
        |x| x[0].interpolate(&Resize::by([2.0]).mode(Interpolation::Bicubic)),
        "F.interpolate(a, scale_factor=2, mode='bicubic')",
    ),
    smooth(
        "interpolate/antialias",
        pooled,
        |x| x[0].interpolate(&Resize::by([0.5]).mode(Interpolation::Bilinear).antialias()),
        "F.interpolate(a, scale_factor=0.5, mode='bilinear', antialias=True)",
    ),
    smooth(
        "interpolate/trilinear",
        in_volumes,
        |x| x[0].interpolate(&Resize::by([2.0]).mode(Interpolation::Trilinear)),
        "F.interpolate(a, scale_factor=2, mode='trilinear')",
    ),
    smooth(
        "affine_grid2d",
        maps,
        |x| x[0].affine_grid2d([28, 28], Ends::Edges),
        "F.affine_grid(a, [a.shape[0], 1, 28, 28], False)",
    ),
    smooth(
        "grid_sample",
        seen,
        |x| x[0].grid_sample(&x[1], GridSample::new()),
        "F.grid_sample(a, b, align_corners=False)",
    ),
    smooth(
        "grid_sample/nearest",
        seen,
        |x| x[0].grid_sample(&x[1], GridSample::new().nearest()),
        "F.grid_sample(a, b, 'nearest', align_corners=False)",
    ),
    smooth(
        "grid_sample/bicubic",
        seen,
        |x| x[0].grid_sample(&x[1], GridSample::new().bicubic().border()),
        "F.grid_sample(a, b, 'bicubic', 'border', align_corners=False)",
    ),
];
