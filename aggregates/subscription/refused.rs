//! Why a change of a subscription is refused.

use chrono::NaiveDate;

use crate::{
    billing::BillingError,
    id::{ChargeId, LineId, SubscriptionId},
    money::{Currency, MoneyError},
};

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the subscription exists already")]
    AlreadyExists,
    #[error("there is no such subscription")]
    Unknown,
    #[error("the subscription is cancelled")]
    Cancelled,
    #[error("the subscription has no billing preferences of its own: it is not an order")]
    NotAnOrder,
    #[error("the subscription starts on {start}, it cannot end before")]
    BeforeStart { start: NaiveDate },
    #[error("a cancellation takes effect today or in the past, not on {effective}")]
    NotYet { effective: NaiveDate },
    #[error("the subscription ends on {end} already")]
    EndsAlready { end: NaiveDate },
    #[error("nothing is billed by the hour: name a cycle of days or more")]
    Hourly,
    #[error("the subscription waits to be activated")]
    Pending,
    #[error("the subscription is paused")]
    Paused,
    #[error("the subscription stopped on {from}, it cannot go on before")]
    BeforePause { from: NaiveDate },
    #[error("the subscription goes on from {from} after it stood still, it cannot change before")]
    BeforeGoingOn { from: NaiveDate },
    #[error("the subscription goes on as another customer's, under the id {to}")]
    Moved { to: SubscriptionId },
    #[error("the subscription goes on under another plan, under the id {to}")]
    Upgraded { to: SubscriptionId },
    #[error("\"{number}\" is too long for the number of an order: name one of at most {most} characters")]
    NumberTooLong { number: String, most: usize },
    #[error("usage of the subscription closes by itself")]
    ClosesByItself,
    #[error("usage of days from {latest} on is still to come: it can be closed through {latest}")]
    UsageToCome { latest: NaiveDate },
    #[error("the date is beyond the end of the calendar")]
    BeyondCalendar,
    #[error("a subscription cannot start before {earliest}, so long ago")]
    TooLongAgo { earliest: NaiveDate },
    #[error("{latest} is as far ahead as can be computed")]
    TooFarAhead { latest: NaiveDate },
    #[error("that comes to more than can be computed at once: ask for less time, or for fewer subscriptions")]
    TooMuch,
    #[error("the subscription has no line {line}")]
    UnknownLine { line: LineId },
    #[error("usage is charged in arrears")]
    UsageInAdvance { line: LineId },
    #[error("the line cannot begin before {start}")]
    LineTooEarly { line: LineId, start: NaiveDate },
    #[error("the line is billed already, it cannot begin on another day")]
    LineBilled { line: LineId },
    #[error("the change names line {line} twice")]
    LineTwice { line: LineId },
    #[error("line {line} is charged once, and was: it cannot change any more")]
    Bought { line: LineId },
    #[error("what is owed cannot be computed: {0}")]
    Billing(#[from] BillingError),
    #[error("the charge exists already")]
    ChargeExists,
    #[error("a charge needs a name")]
    ChargeNameMissing,
    #[error("the charge's period ends before it starts")]
    PeriodReversed,
    #[error("this is priced in {expected}, not in {got}", expected = expected.code(), got = got.code())]
    WrongCurrency { expected: Currency, got: Currency },
    #[error("charge {charge} is not pending: it is on an invoice already, or does not exist")]
    ChargeNotPending { charge: ChargeId },
    #[error("automatic and manual charges cannot share an invoice")]
    MixedPayment,
    #[error("the subscription is this customer's already")]
    SameCustomer,
    #[error("usage of \"{metric}\" on {day} is recorded already: it can be handed over from a later day on")]
    UsageRecorded { metric: String, day: NaiveDate },
    #[error("an invoice needs at least one charge")]
    NothingToInvoice,
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "subscription_already_exists",
            Self::Unknown => "subscription_unknown",
            Self::Cancelled => "subscription_cancelled",
            Self::NotAnOrder => "not_an_order",
            Self::BeforeStart { .. } => "before_start",
            Self::NotYet { .. } => "not_yet",
            Self::EndsAlready { .. } => "ends_already",
            Self::Hourly => "hourly_cycle",
            Self::Pending => "subscription_pending",
            Self::Paused => "subscription_paused",
            Self::BeforePause { .. } => "before_pause",
            Self::BeforeGoingOn { .. } => "before_going_on",
            Self::ClosesByItself => "usage_closes_by_itself",
            Self::UsageToCome { .. } => "usage_to_come",
            Self::BeyondCalendar => "beyond_calendar",
            Self::TooLongAgo { .. } => "too_long_ago",
            Self::TooFarAhead { .. } => "too_far_ahead",
            Self::TooMuch => "too_much",
            Self::UnknownLine { .. } => "line_unknown",
            Self::UsageInAdvance { .. } => "usage_in_advance",
            Self::LineTooEarly { .. } => "line_too_early",
            Self::LineBilled { .. } => "line_billed",
            Self::LineTwice { .. } => "line_twice",
            Self::Bought { .. } => "line_bought",
            Self::Billing(_) => "not_billable",
            Self::ChargeExists => "charge_already_exists",
            Self::ChargeNameMissing => "charge_name_missing",
            Self::PeriodReversed => "period_reversed",
            Self::WrongCurrency { .. } => "wrong_currency",
            Self::ChargeNotPending { .. } => "charge_not_pending",
            Self::MixedPayment => "mixed_payment",
            Self::SameCustomer => "same_customer",
            Self::Moved { .. } => "subscription_moved",
            Self::Upgraded { .. } => "subscription_upgraded",
            Self::NumberTooLong { .. } => "invalid",
            Self::UsageRecorded { .. } => "usage_recorded",
            Self::NothingToInvoice => "nothing_to_invoice",
            Self::Money(_) => "amount_invalid",
        }
    }
}
