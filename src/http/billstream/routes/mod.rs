//! The endpoints, one file a resource.

pub mod audit;
pub mod charges;
<<<<<<< HEAD
pub mod clock;
=======
pub mod invoices;
>>>>>>> sub
pub mod plans;
pub mod previews;
pub mod sessions;
pub mod unbilled;
