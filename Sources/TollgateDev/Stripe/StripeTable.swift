import JSONValue

/// Objects of one kind in the order in which they were made, as Stripe lists them: the newest first, page by page.
struct StripeTable: Sendable {
    /// The oldest first.
    private(set) var all: [JSON] = []

    private var places: [String: Int] = [:]
    private var placesOfCustomer: [String: [Int]] = [:]

    subscript(id: String) -> JSON? { places[id].map { all[$0] } }

    /// All objects by their ids.
    var byID: [String: JSON] { places.mapValues { all[$0] } }

    /// Adds the object, or puts it in the place of the one with its id.
    mutating func keep(_ object: JSON) {
        let id = object["id"].string ?? ""
        let place = places[id] ?? all.count
        let customerBefore = place < all.count ? all[place]["customer"].string : nil
        if place < all.count { all[place] = object } else { all.append(object) }
        places[id] = place
        guard let customer = object["customer"].string, customer != customerBefore else { return }
        placesOfCustomer[customer, default: []].append(place)
    }

    /// A customer's objects, the newest first.
    func ofCustomer(_ customer: String) -> [JSON] {
        (placesOfCustomer[customer] ?? []).sorted(by: >).map { all[$0] }
    }

    /// A page of a list as the API answers it.
    ///
    /// - Parameters:
    ///   - query: As ``StripeParameters/list(_:)`` checked it. Its `customer` and `created` are heeded here.
    ///   - isListed: Whether the list has the object, by whatever else the query asks for.
    func page(_ query: JSON, path: String, where isListed: (JSON) -> Bool = { _ in true }) throws -> JSON {
        let limit = Int(query["limit"].integer ?? 10)
        let after = try place("starting_after", in: query)
        let before = try place("ending_before", in: query)
        let candidates = query["customer"].string.map { (placesOfCustomer[$0] ?? []).sorted() }
        func isWanted(_ place: Int) -> Bool {
            place < after ?? .max && place > before ?? -1 && Self.isCreated(all[place], query["created"])
                && isListed(all[place])
        }
        // Behind a page of newer objects more of them may follow; in front of one, more of the old.
        var found: [JSON] = []
        let count = candidates?.count ?? min(after ?? .max, all.count)
        for step in 0..<count {
            let index = before == nil ? count - 1 - step : step
            let place = candidates?[index] ?? index
            guard isWanted(place) else { continue }
            found.append(all[place])
            if found.count > limit { break }
        }
        let page = Array(found.prefix(limit))
        return [
            "object": "list", "data": .array(before == nil ? page : page.reversed()),
            "has_more": .bool(found.count > limit), "url": .string(path),
        ]
    }

    private func place(_ parameter: String, in query: JSON) throws -> Int? {
        guard let id = query[parameter].string else { return nil }
        guard let place = places[id] else { throw StandInStripeError.noSuch("object", id, parameter: parameter) }
        return place
    }

    private static func isCreated(_ object: JSON, _ range: JSON) -> Bool {
        guard let created = object["created"].integer else { return true }
        return created > range["gt"].integer ?? .min && created >= range["gte"].integer ?? .min
            && created < range["lt"].integer ?? .max && created <= range["lte"].integer ?? .max
    }
}
