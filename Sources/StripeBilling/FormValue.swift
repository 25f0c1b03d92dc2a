import PercentCoding

/// A value in a form as Stripe reads forms: members in brackets (`a[b]`), elements by their index (`a[0]`).
package enum FormValue: Sendable {
    /// Not sent at all. An empty text would be sent, and unset what is set.
    case absent

    /// One value.
    case text(String)

    /// Several in their order.
    case list([FormValue])

    /// Several by name, in the order they are written in.
    case fields([(name: String, value: FormValue)])

    /// A text that may be missing.
    package init(_ text: String?) { self = text.map(FormValue.text) ?? .absent }

    /// Media type `application/x-www-form-urlencoded`.
    package var encoded: String {
        var pairs: [String] = []
        append(to: &pairs, name: "")
        return pairs.joined(separator: "&")
    }

    private func append(to pairs: inout [String], name: String) {
        switch self {
        case .absent: break
        case .text(let text): pairs.append("\(name)=\(PercentEncoding.formText(text))")
        case .list(let elements):
            for (index, element) in elements.enumerated() { element.append(to: &pairs, name: "\(name)[\(index)]") }
        case .fields(let fields):
            for field in fields {
                let part = PercentEncoding.formText(field.name)
                field.value.append(to: &pairs, name: name.isEmpty ? part : "\(name)[\(part)]")
            }
        }
    }
}

extension FormValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// One value.
    package init(stringLiteral text: String) { self = .text(text) }

    /// `true` or `false`.
    package init(booleanLiteral flag: Bool) { self = .text(flag ? "true" : "false") }

    /// Decimal.
    package init(integerLiteral number: Int) { self = .text(String(number)) }

    /// Several in their order.
    package init(arrayLiteral elements: FormValue...) { self = .list(elements) }

    /// Several by name.
    package init(dictionaryLiteral fields: (String, FormValue)...) {
        self = .fields(fields.map { (name: $0.0, value: $0.1) })
    }
}
