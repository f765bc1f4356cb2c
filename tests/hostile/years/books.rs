//! What must hold whatever has happened: read from the log, the views and every door that shows an amount.

use std::collections::{BTreeMap, BTreeSet};

use aggregates::{
    AnyEvent,
    billing::{Explanation, Kind, Phase, Proration, Reason, Timing},
    calendar::local_date,
    credit,
    id::{ChargeId, CustomerId, LineId, SubscriptionId, TenantId},
    invoice,
    money::Money,
    payment, purchase, subscriber,
    subscription::{self, Charge, Subscription, Terms},
    terms::UsagePeriodClosing,
};
use billstream::{
    app::due::{Wanted, Whose},
    journal::{replay::replay, verify::verify},
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;

use super::used::Used;
use crate::{
    journal::history::{quiet, rows},
    support::doors::{Door, Doors},
};

/// What is new since somebody looked.
#[derive(Default)]
pub struct News {
    pub charges: Vec<(SubscriptionId, Charge)>,
    pub invoices: Vec<String>,
    pub purchases: Vec<String>,
    /// Payments that were asked for.
    pub collections: Vec<String>,
}

/// How often each day of a line was charged, less how often it was given back.
type Days = BTreeMap<NaiveDate, i32>;

#[derive(Default)]
pub struct Books {
    after: i64,
    charged: BTreeSet<ChargeId>,
    days: BTreeMap<(SubscriptionId, LineId), Days>,
    /// What was charged for usage, in minor units.
    metered: BTreeMap<(SubscriptionId, LineId), i64>,
    /// What was charged once and for all.
    once: BTreeMap<(SubscriptionId, LineId), u32>,
    credit: BTreeMap<(CustomerId, &'static str), (i64, i64)>,
    subscriptions: BTreeSet<SubscriptionId>,
    subscribed: BTreeSet<(String, NaiveDate)>,
    used: Used,
}

impl Books {
    /// Takes in what was written since the last time, and checks it for itself.
    pub async fn read(&mut self, doors: &Doors) -> News {
        let tenant = TenantId::from_stored(&doors.test.tenant.tenant_id);
        let mut news = News::default();
        loop {
            let feed = doors.test.app.events(&tenant, self.after, 1000).await.expect("the log");
            if feed.recordings.is_empty() {
                break;
            }
            self.after = feed.next_after;
            for recording in &feed.recordings {
                let stream = &recording.stored.aggregate_id;
                recording
                    .events
                    .iter()
                    .for_each(|event| self.take(stream, event, &mut news));
            }
        }
        let touched: BTreeSet<SubscriptionId> = news.charges.iter().map(|(of, _)| *of).collect();
        for of in touched {
            let state: Subscription = doors
                .test
                .app
                .journal
                .state(&tenant, &of.to_string())
                .await
                .expect("a state");
            self.nothing_twice(of, &state);
        }
        news
    }

    fn take(&mut self, stream: &str, event: &AnyEvent, news: &mut News) {
        self.used.take(event);
        match event {
            AnyEvent::Subscription(subscription::Event::Signed { subscription, .. }) => {
                self.subscriptions.insert(*subscription);
            }
            AnyEvent::Subscription(subscription::Event::Accrued { charges, .. }) => {
                let of: SubscriptionId = stream.parse().expect("an id");
                for charge in charges {
                    assert!(self.charged.insert(charge.id), "charged twice: {charge:?}");
                    self.count(of, charge);
                    explains(charge);
                    news.charges.push((of, charge.clone()));
                }
            }
            AnyEvent::Invoice(invoice::Event::Issued { issued, .. }) => {
                let nets = issued
                    .lines
                    .iter()
                    .map(|line| line.net().expect("its tax is known").minor);
                let lines = nets.sum::<i64>();
                let taxes = issued.taxes.iter().map(|rate| rate.tax.minor).sum::<i64>();
                assert_eq!(
                    lines + taxes,
                    issued.total.minor,
                    "lines and tax are not the total: {issued:?}"
                );
                news.invoices.push(issued.invoice.to_string());
            }
            AnyEvent::Payment(payment::Event::Requested { .. }) => news.collections.push(stream.to_owned()),
            AnyEvent::Credit(credit::Event::Granted { customer, amount, .. }) => {
                self.credit.entry((*customer, amount.currency.code())).or_default().0 += amount.minor;
            }
            AnyEvent::Credit(credit::Event::Used { customer, amount, .. }) => {
                self.credit.entry((*customer, amount.currency.code())).or_default().1 += amount.minor;
            }
            AnyEvent::Credit(credit::Event::TakenBack { customer, amount, .. }) => {
                self.credit.entry((*customer, amount.currency.code())).or_default().0 -= amount.minor;
            }
            AnyEvent::Purchase(purchase::Event::Created { .. }) => news.purchases.push(stream.to_owned()),
            AnyEvent::Subscriber(subscriber::Event::Billed { period, .. }) => {
                let new = self.subscribed.insert((stream.to_owned(), period.date));
                assert!(new, "subscriber {stream} is billed twice for {period:?}");
            }
            _ => {}
        }
    }

    fn count(&mut self, of: SubscriptionId, charge: &Charge) {
        if let (Some(line), Some(why)) = (charge.line, &charge.explanation)
            && why.reason == Reason::OneOff
        {
            let times = self.once.entry((of, line)).or_default();
            *times += 1;
            assert_eq!(*times, 1, "charged once more: {charge:?}");
        }
        if let (Some(line), Some(why)) = (charge.line, &charge.explanation)
            && matches!(why.reason, Reason::Usage | Reason::UsageCorrection)
        {
            *self.metered.entry((of, line)).or_default() += charge.amount.minor;
        }
        let (Some(line), Some(why), Some(end)) = (charge.line, &charge.explanation, charge.period.end) else {
            return;
        };
        let sign = match why.reason {
            Reason::Period | Reason::Usage => 1,
            Reason::Unused => -1,
            Reason::Trial | Reason::OneOff | Reason::UsageCorrection => return,
        };
        if why.reason != Reason::Usage && why.full_price == why.discount.unwrap_or_default() {
            return; // What costs nothing is not given back.
        }
        let days = self.days.entry((of, line)).or_default();
        let span = charge.period.start.iter_days().take_while(|day| *day < end);
        span.for_each(|day| *days.entry(day).or_default() += sign);
    }

    /// No day of a line is charged twice without being given back, or given back without being charged. Days of usage may
    /// be: what they come to under other terms is corrected, and all of it is what the line says was billed.
    fn nothing_twice(&self, of: SubscriptionId, state: &Subscription) {
        let phases = state
            .agreement()
            .map_or(&[][..], |agreement| agreement.phases.as_slice());
        for ((_, line), days) in self
            .days
            .range((of, LineId(uuid::Uuid::nil()))..)
            .take_while(|((id, _), _)| *id == of)
        {
            let own: Vec<&Phase> = phases.iter().filter(|phase| phase.line == *line).collect();
            let is_metered = own.iter().any(|phase| matches!(phase.kind, Kind::Metered { .. }));
            let most = if is_metered { i32::MAX } else { 1 };
            let wrong = days.iter().find(|(_, times)| !(0..=most).contains(*times));
            assert_eq!(wrong, None, "day and times charged of line {line} of {of}: {own:#?}");
            let billed = own.iter().flat_map(|phase| phase.billed_usage.values());
            let billed: i64 = billed.map(|billed| billed.amount.minor).sum();
            let charged = self.metered.get(&(of, *line)).copied().unwrap_or_default();
            assert_eq!(charged, billed, "charged for usage of line {line} of {of}: {own:#?}");
        }
    }

    /// After the clock was moved: nothing is due, nothing waits that should not, every day is charged that should be.
    pub async fn nothing_is_due(&self, doors: &Doors, now: DateTime<Utc>) {
        let app = &doors.test.app;
        let tenant = TenantId::from_stored(&doors.test.tenant.tenant_id);
        let wanted = Wanted {
            whose: Whose::Tenant(tenant.clone()),
            until: now,
            rested_at: None,
        };
        let due = app.work(&wanted, None, 10).await.expect("a list");
        assert_eq!(due, [], "due and not billed at {now}");
        for of in &self.subscriptions {
            let state: Subscription = app.journal.state(&tenant, &of.to_string()).await.expect("a state");
            self.every_day_is_charged(*of, &state, now);
        }
    }

    fn every_day_is_charged(&self, of: SubscriptionId, state: &Subscription, now: DateTime<Utc>) {
        let Some(agreement) = state.agreement() else { return };
        let policy = agreement.policy();
        let late = match &agreement.terms {
            Terms::Contract { .. } => 0,
            Terms::Order { billing } => billing.invoice_term.days.max(0),
        };
        let before = local_date(now, policy.zone) - TimeDelta::days(late);
        let none = Days::new();
        for phase in &agreement.phases {
            let Some(schedule) = phase.schedule else { continue };
            let days = self.days.get(&(of, phase.line)).unwrap_or(&none);
            let end = phase.until.unwrap_or(NaiveDate::MAX).max(phase.from);
            let due = match (&phase.kind, phase.timing) {
                (Kind::Trial | Kind::OneOff, _) => continue,
                (Kind::Recurring, _) if free(phase) => continue,
                // What takes the rest of an undivided period over pays for all of it.
                (Kind::Recurring, _) if undivided(phase) && phase.until.is_some() => continue,
                (Kind::Recurring, Timing::Advance) => before.succ_opt().expect("tomorrow").min(end),
                (Kind::Metered { .. }, _) if policy.usage_closing == UsagePeriodClosing::Manual => continue,
                (kind, _) => {
                    // What is over by now, or by yesterday where usage closes later.
                    let over = before - TimeDelta::days(i64::from(*kind != Kind::Recurring));
                    if end <= over {
                        end
                    } else {
                        schedule.containing(over).expect("a period").start.min(end)
                    }
                }
            };
            let missing = phase.from.iter_days().take_while(|day| *day < due);
            let missing = missing
                .into_iter()
                .find(|day| days.get(day).copied().unwrap_or_default() < 1);
            assert_eq!(
                missing, None,
                "not charged at {now} of {of}: {phase:#?}\n{:#?}",
                agreement.phases
            );
        }
        for ((_, line), days) in self
            .days
            .range((of, LineId(uuid::Uuid::nil()))..)
            .take_while(|((id, _), _)| *id == of)
        {
            let own: Vec<&Phase> = agreement.phases.iter().filter(|phase| phase.line == *line).collect();
            let metered = own.iter().any(|phase| matches!(phase.kind, Kind::Metered { .. }));
            if metered
                || own
                    .iter()
                    .any(|phase| undivided(phase) || phase.until.is_some_and(|until| until > before))
            {
                continue;
            }
            let agreed = |day: NaiveDate| {
                own.iter()
                    .any(|p| p.from <= day && p.until.is_none_or(|until| day < until))
            };
            let kept = days.iter().find(|(day, times)| **times != 0 && !agreed(**day));
            assert_eq!(
                kept, None,
                "charged at {now} beyond what was agreed of line {line} of {of}: {own:#?}"
            );
        }
    }

    /// The sums over everything, and the log itself.
    pub async fn balance(&self, doors: &Doors) {
        for (what, sql) in NONE {
            let found = rows(&doors.test, sql, &[]).await[0].int(0).expect("a number");
            assert_eq!(found, 0, "{what}");
        }
        for ((customer, currency), (granted, used)) in &self.credit {
            let sql = "SELECT balance FROM credit_balances WHERE customer = $1 AND currency = $2";
            let left = rows(&doors.test, sql, &[customer.to_string().into(), (*currency).into()]).await;
            let left = left[0].int(0).expect("a balance");
            assert!(left >= 0, "{customer} has {left}");
            assert_eq!(
                *granted,
                used + left,
                "credit of {customer} in {currency}: granted = used + left"
            );
        }
        self.used.is_conserved(doors).await;
        let unbilled = doors.get(Door::Own, "/billstream/v1/unbilled").await;
        assert_eq!(unbilled, json!({"unbilled": []}));
    }

    pub async fn audit(&self, doors: &Doors) {
        let report = verify(&doors.test.app.journal, &[], &quiet).await.expect("readable");
        assert_eq!(report.faults, []);
        let replayed = replay(&doors.test.app.journal, doors.test.clock.as_ref(), &quiet).await;
        let replayed = replayed.expect("replayed");
        assert!(replayed.is_identical(), "{replayed:#?}");
    }
}

fn undivided(phase: &Phase) -> bool {
    !phase.prorate && phase.kind == Kind::Recurring
}

fn free(phase: &Phase) -> bool {
    let cost = phase.price.cost(phase.quantity).expect("a price").amount;
    phase
        .discount
        .as_ref()
        .map_or(cost, |off| off.apply(cost).expect("a price"))
        .is_zero()
}

/// The amount is what its explanation comes to.
fn explains(charge: &Charge) {
    let Some(why) = &charge.explanation else { return };
    let Explanation {
        full_price,
        numerator,
        denominator,
        ..
    } = **why;
    let price = full_price - why.discount.unwrap_or_default();
    let before = why.correction.map_or(Decimal::ZERO, |of| of.billed_before.to_decimal());
    let exact = price * Decimal::from(numerator) / Decimal::from(denominator) - before;
    assert_eq!(exact, why.exact, "{charge:?}");
    let rounded = Money::rounded(exact + before, charge.amount.currency)
        .expect("an amount")
        .minor;
    let before = Money::rounded(before, charge.amount.currency).expect("an amount").minor;
    assert_eq!(charge.amount.minor, rounded - before, "{charge:?}");
    let (Some(notional), Some(end)) = (why.notional, charge.period.end) else {
        return;
    };
    let divided = why.policy == Proration::ActualDays && matches!(why.reason, Reason::Period | Reason::Unused);
    if divided && denominator != 1 {
        let length = |start: NaiveDate, end: NaiveDate| (end - start).num_days();
        // Rounded together with other parts of the period it counts their days, too.
        let days = length(charge.period.start, end);
        let counted = numerator.abs();
        assert!(
            counted == days || why.correction.is_some() && days < counted,
            "{charge:?}"
        );
        assert_eq!(
            denominator,
            length(notional.start, notional.end.expect("an end")),
            "{charge:?}"
        );
        assert!(
            notional.start <= charge.period.start && notional.end >= Some(end),
            "{charge:?}"
        );
    }
}

/// What may not be found in the views.
const NONE: [(&str, &str); 13] = [
    (
        "an invoice whose total is not the sum of its lines and its tax",
        "SELECT COUNT(*) FROM invoices i WHERE i.total - i.tax <> (SELECT COALESCE(CAST(SUM(COALESCE(l.net, l.amount)) AS BIGINT), 0) \
         FROM invoice_lines l WHERE l.tenant = i.tenant AND l.invoice = i.invoice)",
    ),
    (
        "an invoice whose credit does not explain what is to pay",
        "SELECT COUNT(*) FROM invoices i WHERE i.voided_at IS NULL AND \
         i.total + i.credit_granted - i.credit_applied <> i.to_pay",
    ),
    (
        "a voided invoice of which something is owed",
        "SELECT COUNT(*) FROM invoices i WHERE i.voided_at IS NOT NULL AND \
         (i.credit_granted <> 0 OR i.credit_applied <> 0 OR i.to_pay <> 0 OR i.balance <> 0)",
    ),
    (
        "an invoice without lines",
        "SELECT COUNT(*) FROM invoices i WHERE NOT EXISTS \
         (SELECT 1 FROM invoice_lines l WHERE l.tenant = i.tenant AND l.invoice = i.invoice)",
    ),
    (
        "a charge on two lines",
        "SELECT COUNT(*) FROM (SELECT charge FROM invoice_lines l \
         JOIN invoices i ON i.tenant = l.tenant AND i.invoice = l.invoice WHERE i.voided_at IS NULL \
         GROUP BY charge HAVING COUNT(*) > 1) twice",
    ),
    (
        "a charge and an invoice that do not agree",
        "SELECT COUNT(*) FROM charges c LEFT JOIN (SELECT s.* FROM invoice_lines s \
         JOIN invoices i ON i.tenant = s.tenant AND i.invoice = s.invoice WHERE i.voided_at IS NULL) l \
         ON l.tenant = c.tenant AND l.charge = c.charge \
         WHERE COALESCE(c.invoice, '') <> COALESCE(l.invoice, '') OR (c.status = 'pending') <> (l.charge IS NULL)",
    ),
    (
        "a line that says another amount than its charge",
        "SELECT COUNT(*) FROM charges c JOIN invoice_lines l ON l.tenant = c.tenant AND l.charge = c.charge \
         WHERE c.amount <> l.amount",
    ),
    (
        "a gap in the invoice numbers",
        "SELECT COALESCE(MAX(number), 0) - COUNT(DISTINCT number) FROM invoices",
    ),
    (
        "an invoice number given twice",
        "SELECT COUNT(*) - COUNT(DISTINCT number) FROM invoices",
    ),
    (
        "a gap in the purchase numbers",
        "SELECT COALESCE(MAX(number), 0) - COUNT(DISTINCT number) FROM purchases",
    ),
    (
        "a purchase number given twice",
        "SELECT COUNT(*) - COUNT(DISTINCT number) FROM purchases",
    ),
    (
        "an order number given twice",
        "SELECT COUNT(*) - COUNT(DISTINCT number) FROM orders",
    ),
    (
        "an invoice over charges of another payment mode",
        "SELECT COUNT(*) FROM invoice_lines l JOIN charges c ON c.tenant = l.tenant AND c.charge = l.charge \
         JOIN invoices i ON i.tenant = l.tenant AND i.invoice = l.invoice \
         WHERE c.automatic_payment <> i.automatic_payment",
    ),
];
