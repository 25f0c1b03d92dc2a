package import Testing

extension Tag {
    /// What says how long something takes, or how soon it has come: other work on the machine would falsify it.
    /// `Tests/run` runs it after all others, on a machine that is as quiet as it can be.
    @Tag package static var measuresTime: Self
}
