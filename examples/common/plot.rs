//! Curves over a logarithmic axis, as an SVG file.

use anyhow::ensure;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use std::path::Path;

/// A curve.
pub struct Line {
    /// What the legend says.
    pub name: String,
    /// Where it goes; what is not above 0, which a logarithmic axis cannot show, is left out.
    pub points: Vec<(f64, f64)>,
    /// Lines of one number have one colour,
    pub colour: usize,
    /// and may differ in this.
    pub dashed: bool,
}

/// Curves with their axes.
pub struct Chart<'a> {
    /// Stands above.
    pub title: &'a str,
    /// What goes to the right.
    pub x: &'a str,
    /// What goes up, by powers of ten.
    pub y: &'a str,
    /// What is below this is not shown.
    pub floor: f64,
    /// The curves, as the legend has them from top to bottom.
    pub lines: Vec<Line>,
}

/// Colours that the colour-blind can tell apart (Okabe and Ito, 2008), without the yellow, which white swallows.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    BLACK,
];

const SIZE: (u32, u32) = (960, 540);
const LEGEND: i32 = 250;
const DASH: (i32, i32) = (7, 5);

impl Chart<'_> {
    /// Writes the chart to a file, whole or not at all. Errors when there is nothing to show.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        super::files::write(path, &self.svg()?)
    }

    /// The points of a line that can be shown, up to the first that cannot.
    fn shown<'a>(&self, line: &'a Line) -> impl Iterator<Item = (f64, f64)> + Clone + use<'a> {
        let floor = self.floor;
        line.points.iter().copied().take_while(move |&(_, y)| y.is_finite() && y > 0.0 && y >= floor)
    }

    fn svg(&self) -> anyhow::Result<String> {
        let points = || self.lines.iter().flat_map(|line| self.shown(line));
        let (mut left, mut right) = (f64::INFINITY, f64::NEG_INFINITY);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (x, y) in points() {
            (left, right, low, high) = (left.min(x), right.max(x), low.min(y), high.max(y));
        }
        ensure!(left < right, "chart `{}`: no two points above {:e} to draw a line through", self.title, self.floor);
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            root.fill(&WHITE)?;
            let (area, legend) = root.split_horizontally(SIZE.0 as i32 - LEGEND);
            let mut chart = ChartBuilder::on(&area)
                .caption(self.title, ("sans-serif", 24))
                .margin(12)
                .x_label_area_size(46)
                .y_label_area_size(70)
                .build_cartesian_2d(left..right, (low / 1.5..high * 1.5).log_scale())?;
            chart
                .configure_mesh()
                .x_desc(self.x)
                .y_desc(self.y)
                .axis_desc_style(("sans-serif", 19))
                .label_style(("sans-serif", 16))
                .x_label_formatter(&|x| format!("{x:.0}"))
                .y_label_formatter(&|y| format!("{y:.0e}"))
                .light_line_style(BLACK.mix(0.04))
                .bold_line_style(BLACK.mix(0.12))
                .draw()?;
            for (i, line) in self.lines.iter().enumerate() {
                let style = COLOURS[line.colour % COLOURS.len()].stroke_width(2);
                let y = 52 + 24 * i as i32;
                let sample = [(4, y), (36, y)];
                if line.dashed {
                    chart.draw_series(DashedLineSeries::new(self.shown(line), DASH.0, DASH.1, style))?;
                    legend.draw(&DashedPathElement::new(sample, DASH.0, DASH.1, style))?;
                } else {
                    chart.draw_series(LineSeries::new(self.shown(line), style))?;
                    legend.draw(&PathElement::new(sample, style))?;
                }
                legend.draw(&Text::new(line.name.clone(), (44, y - 9), ("sans-serif", 18)))?;
            }
            root.present()?;
        }
        Ok(svg)
    }
}
