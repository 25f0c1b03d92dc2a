import Testing
import TollgateCore

/// Which part of a limit each worker has.
@Suite struct FleetViewTests {
    private static let ids = ["a", "b", "c", "d", "e"]

    private static func views(of ids: [String]) -> [FleetView] {
        ids.map { id in
            var view = FleetView(ownID: id)
            view.saw(ids.shuffled(), at: 0)
            return view
        }
    }

    @Test(arguments: 1...5) func thePartsAddUpToTheWhole(count: Int) {
        let views = Self.views(of: Array(Self.ids.prefix(count)))
        for total in [0, 1, 2, 3, 4, 5, 6, 7, 99, 100, 101, Plan.maximumLimit] {
            let parts = views.map { $0.share.part(of: total) }
            #expect(parts.reduce(0, +) == total)
            #expect((parts.max() ?? 0) - (parts.min() ?? 0) <= 1, "\(parts)")
        }
    }

    @Test func nothingIsLeftOfLessThanNothing() {
        for view in Self.views(of: Self.ids) {
            #expect(view.share.part(of: -1) == 0)
            #expect(view.share.part(of: .min) == 0)
        }
    }

    @Test func aWorkerThatHasSeenNobodyIsAlone() {
        let view = FleetView(ownID: "a")
        #expect(view.share.part(of: 7) == 7)
    }

    @Test func aWorkerCountsItselfWhateverItReads() {
        var view = FleetView(ownID: "a")
        view.saw([], at: 0)
        #expect(view.share.part(of: 7) == 7)
        view.saw(["b"], at: 1)
        #expect(view.share.part(of: 7) == 4)
    }

    /// Such as when the index was emptied, or a report was late.
    @Test func oneReadingAloneDoesNotForgetTheOthers() {
        var view = FleetView(ownID: "a")
        view.saw(["a", "b", "c"], at: 0)
        view.saw(["a"], at: 5_000)
        #expect(view.share.part(of: 9) == 3)
        view.saw(["a", "b"], at: 10_000)
        #expect(view.share.part(of: 9) == 3)
        view.saw(["a", "b"], at: 15_000)
        #expect(view.share.part(of: 9) == 5, "c is gone")
    }

    @Test func whereNothingIsReadNobodyIsForgotten() {
        var view = FleetView(ownID: "b")
        view.saw(["a", "b"], at: 0)
        #expect(view.share.part(of: 9) == 4, "however long ago that was")
    }

    @Test func aPlaceThatIsNoneIsTheNearest() {
        #expect(WorkerShare(place: 5, of: 2).part(of: 3) == 1)
        #expect(WorkerShare(place: -1, of: 2).part(of: 3) == 2)
        #expect(WorkerShare(place: 0, of: 0).part(of: 3) == 3)
    }
}
