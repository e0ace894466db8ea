//! When an answer is due: what the policy promises, or what the law demands if that is sooner.

use jiff::civil::{Date as Day, Weekday};
use jiff::{Span, ToSpan as _};

use crate::document::{Date, Due, DueFrom, DueUnit, Id, Place, Right, RightTerms};
use crate::packs::Demand;
use crate::policy::Policy;

impl Due {
    /// The last day on which the answer is in time. `day` is the day from which it counts, and counts not itself.
    /// Working days are Monday to Friday: public holidays are not known here, so the true day may be a later one.
    ///
    /// Returns `None` beyond the calendar's end, in the year 9999.
    #[must_use]
    pub fn on(&self, day: &Date) -> Option<Date> {
        let count = i64::from(self.count);
        let mut last: Day = day.as_str().parse().ok()?;
        match self.unit {
            DueUnit::Days => last = last.checked_add(count.days()).ok()?,
            DueUnit::Months => last = last.checked_add(Span::new().months(count)).ok()?,
            DueUnit::WorkingDays => {
                let mut left = count;
                while left > 0 {
                    last = last.tomorrow().ok()?;
                    left -= i64::from(!matches!(last.weekday(), Weekday::Saturday | Weekday::Sunday));
                }
            }
        }
        Date::parse(&last.to_string()).ok()
    }
}

impl Policy {
    /// When the answer to a demand that arrives on a day is due, for a person who lives in a place (`None` where that is
    /// unknown: every law counts). The soonest of what the policy promises and what the packs in force demand; `None`
    /// if neither names a time. A promise that counts from the verification counts from the arrival here, which is
    /// sooner.
    #[must_use]
    pub fn due(&self, right: Right, place: Option<&Place>, arrived: &Date) -> Option<Date> {
        let promised = self.promised(right, place).and_then(|terms| terms.due.clone());
        let demanded = self.demanded(right, place).flatten().cloned();
        promised.into_iter().chain(demanded).filter_map(|due| due.on(arrived)).min()
    }

    /// Whether a person who lives in a place has a right: the policy promises it there, or a law pack in force demands
    /// it. While the place is unknown every promise and every law counts.
    #[must_use]
    pub fn has_right(&self, right: Right, place: Option<&Place>) -> bool {
        self.promised(right, place).is_some() || self.demanded(right, place).next().is_some()
    }

    /// What the policy says about a right of a person who lives in a place; `None` if it promises none there.
    #[must_use]
    pub fn promised(&self, right: Right, place: Option<&Place>) -> Option<&RightTerms> {
        let terms = self.document().rights.get(&right)?;
        let here =
            |id: &Id| self.packs.iter().any(|pack| pack.id == *id && place.is_none_or(|place| pack.covers(place)));
        (terms.jurisdictions.is_empty() || terms.jurisdictions.iter().any(here)).then_some(terms)
    }

    /// When each law that demands a right wants it answered.
    fn demanded<'a>(&'a self, right: Right, place: Option<&'a Place>) -> impl Iterator<Item = &'a Option<Due>> {
        let packs = self.packs.iter().filter(move |pack| {
            let everywhere = self.document().jurisdictions.contains(&pack.id);
            everywhere || place.is_none_or(|place| pack.covers(place))
        });
        packs.flat_map(|pack| pack.rules.values()).filter_map(move |rule| match &rule.demand {
            Demand::Rights { rights, due } if rights.contains(&right) => Some(due),
            _ => None,
        })
    }
}

/// The due time in words, for findings: `15 working days from the request`.
pub(crate) fn in_words(due: &Due) -> String {
    let unit = match (due.unit, due.count) {
        (DueUnit::Days, 1) => "day",
        (DueUnit::Days, _) => "days",
        (DueUnit::WorkingDays, 1) => "working day",
        (DueUnit::WorkingDays, _) => "working days",
        (DueUnit::Months, 1) => "month",
        (DueUnit::Months, _) => "months",
    };
    let from = match due.from {
        DueFrom::Request => "the request",
        DueFrom::Verification => "the verification",
    };
    format!("{} {unit} from {from}", due.count)
}

/// Whether a promise may be later than what is demanded, on some day of the calendar.
pub(crate) fn may_be_later(promised: &Due, demanded: &Due) -> bool {
    // Four years hold every combination of month lengths and weekdays near enough, at a cost of a few thousand steps.
    let first = Day::constant(2024, 1, 1);
    let counts_later = promised.from == DueFrom::Verification && demanded.from == DueFrom::Request;
    counts_later
        || (0..4 * 366_i64).any(|offset| {
            let day = first.checked_add(offset.days()).ok().and_then(|day| Date::parse(&day.to_string()).ok());
            day.is_some_and(|day| promised.on(&day) > demanded.on(&day))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(count: u8, unit: DueUnit, day: &str) -> String {
        let due = Due { count, unit, from: DueFrom::Request };
        due.on(&Date::parse(day).unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_month_ends_on_the_same_day_or_the_last_of_a_shorter_month() {
        assert_eq!(due(1, DueUnit::Months, "2026-03-15"), "2026-04-15");
        assert_eq!(due(1, DueUnit::Months, "2026-01-31"), "2026-02-28");
        assert_eq!(due(1, DueUnit::Months, "2028-01-31"), "2028-02-29");
    }

    #[test]
    fn a_day_and_its_first_moment_agree() {
        let day = Date::parse("2027-01-15").unwrap();
        assert_eq!(day.start_ms(), Some(1_799_971_200_000));
        assert_eq!(Date::at(1_800_000_000_000), Some(day.clone()));
        assert_eq!(Date::at(1_799_971_199_999), Date::parse("2027-01-14").ok());
        assert_eq!(Date::at(i64::MAX), None);
    }

    #[test]
    fn weekends_are_no_working_days() {
        // 2026-11-20 is a Friday.
        assert_eq!(due(1, DueUnit::WorkingDays, "2026-11-20"), "2026-11-23");
        assert_eq!(due(15, DueUnit::WorkingDays, "2026-11-20"), "2026-12-11");
        assert_eq!(due(15, DueUnit::Days, "2026-11-20"), "2026-12-05");
    }

    #[test]
    fn fifteen_days_are_never_later_than_fifteen_working_days_but_a_month_is() {
        let of = |count, unit, from| Due { count, unit, from };
        let law = of(15, DueUnit::WorkingDays, DueFrom::Request);
        assert!(!may_be_later(&of(15, DueUnit::Days, DueFrom::Request), &law));
        assert!(may_be_later(&of(15, DueUnit::Days, DueFrom::Verification), &law));
        assert!(may_be_later(&of(1, DueUnit::Months, DueFrom::Request), &law));
    }
}
