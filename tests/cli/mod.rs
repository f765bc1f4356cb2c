//! The program as its operators meet it: started, asked, stopped, pointed at damage.

mod commands;
mod damage;
mod demo;
mod operations;
