//! Rewrites a parsed template so that every operation is metered and does what Python does.
//!
//! The engine parses, scopes and runs; what it would compute on its own in time or memory not
//! bounded by its step count becomes a call of a filter of ours whose name no template can spell
//! (`+`, `[]`, …). The rest of the tree is rebuilt as it was: nodes of the engine's tree cannot be
//! changed in place.
//!
//! | in the template        | becomes                                    |
//! |------------------------|--------------------------------------------|
//! | `a + b`, `a in b`, …   | `a \| "+"(b, spelling of a, spelling of b)` |
//! | `a < b < c`            | `a \| "chain"("<", b, "<", c)`              |
//! | `a[b]`, `a[b:c]`       | `a \| "[]"(b)`, `a \| "[:]"(b, c)`           |
//! | `for x in a`, `f(*a)`  | `a \| "iter"`: a list, paid for             |
//! | `set x = a`            | `a \| "store"`: not nested too deeply       |
//! | text                   | printed as an expression, so it is counted |

use minijinja::Value;
use minijinja::machinery::Span;
use minijinja::machinery::ast::*;

/// Names of the filters that lowering introduces; none is an identifier.
pub(super) mod names {
    pub(in super::super) const CHAIN: &str = "<chain>";
    pub(in super::super) const ITEM: &str = "[]";
    pub(in super::super) const FIELD: &str = "<field>";
    pub(in super::super) const SLICE: &str = "[:]";
    pub(in super::super) const ITER: &str = "<iter>";
    pub(in super::super) const STORE: &str = "<store>";
    pub(in super::super) const ATTRIBUTE: &str = "<attribute>";
    pub(in super::super) const OPERATORS: [&str; 15] = [
        "+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in",
    ];
}

/// The metered form of a whole template.
///
/// # Errors
/// On tags that need other templates, and on `loop.cycle()` without arguments, by whose number the
/// engine divides; the line and the message.
pub(super) fn lower<'a>(template: &Stmt<'a>) -> Result<Stmt<'a>, (usize, String)> {
    stmt(template)
}

type Lowered<T> = Result<T, (usize, String)>;

fn stmts<'a>(list: &[Stmt<'a>]) -> Lowered<Vec<Stmt<'a>>> {
    list.iter().map(stmt).collect()
}

fn stmt<'a>(node: &Stmt<'a>) -> Lowered<Stmt<'a>> {
    Ok(match node {
        Stmt::Template(n) => Stmt::Template(Spanned::new(
            Template {
                children: stmts(&n.children)?,
            },
            n.span(),
        )),
        Stmt::EmitExpr(n) => Stmt::EmitExpr(Spanned::new(
            EmitExpr {
                expr: expr(&n.expr)?,
            },
            n.span(),
        )),
        Stmt::EmitRaw(n) => Stmt::EmitExpr(Spanned::new(
            EmitExpr {
                expr: constant(Value::from(n.raw), n.span()),
            },
            n.span(),
        )),
        Stmt::ForLoop(n) => Stmt::ForLoop(Spanned::new(
            ForLoop {
                target: target(&n.target)?,
                iter: filter(names::ITER, expr(&n.iter)?, vec![]),
                filter_expr: optional(n.filter_expr.as_ref())?,
                recursive: n.recursive,
                body: stmts(&n.body)?,
                else_body: stmts(&n.else_body)?,
            },
            n.span(),
        )),
        Stmt::IfCond(n) => Stmt::IfCond(Spanned::new(
            IfCond {
                expr: expr(&n.expr)?,
                true_body: stmts(&n.true_body)?,
                false_body: stmts(&n.false_body)?,
            },
            n.span(),
        )),
        Stmt::WithBlock(n) => {
            let assignments = n.assignments.iter();
            Stmt::WithBlock(Spanned::new(
                WithBlock {
                    assignments: assignments
                        .map(|(to, from)| Ok((target(to)?, expr(from)?)))
                        .collect::<Lowered<_>>()?,
                    body: stmts(&n.body)?,
                },
                n.span(),
            ))
        }
        Stmt::Set(n) => Stmt::Set(Spanned::new(
            Set {
                target: target(&n.target)?,
                expr: stored(&n.target, &n.expr)?,
            },
            n.span(),
        )),
        Stmt::SetBlock(n) => Stmt::SetBlock(Spanned::new(
            SetBlock {
                target: target(&n.target)?,
                filter: optional(n.filter.as_ref())?,
                body: stmts(&n.body)?,
            },
            n.span(),
        )),
        Stmt::AutoEscape(n) => Stmt::AutoEscape(Spanned::new(
            AutoEscape {
                enabled: expr(&n.enabled)?,
                body: stmts(&n.body)?,
            },
            n.span(),
        )),
        Stmt::FilterBlock(n) => Stmt::FilterBlock(Spanned::new(
            FilterBlock {
                filter: expr(&n.filter)?,
                body: stmts(&n.body)?,
            },
            n.span(),
        )),
        Stmt::Macro(n) => Stmt::Macro(Spanned::new(lower_macro(n)?, n.span())),
        Stmt::CallBlock(n) => Stmt::CallBlock(Spanned::new(
            CallBlock {
                call: Spanned::new(call(&n.call, n.call.span())?, n.call.span()),
                macro_decl: Spanned::new(lower_macro(&n.macro_decl)?, n.macro_decl.span()),
            },
            n.span(),
        )),
        Stmt::Block(n) => return unsupported("block", n.span()),
        Stmt::Import(n) => return unsupported("import", n.span()),
        Stmt::FromImport(n) => return unsupported("from", n.span()),
        Stmt::Extends(n) => return unsupported("extends", n.span()),
        Stmt::Include(n) => return unsupported("include", n.span()),
        Stmt::Continue(n) => Stmt::Continue(Spanned::new(Continue, n.span())),
        Stmt::Break(n) => Stmt::Break(Spanned::new(Break, n.span())),
        Stmt::Do(n) => Stmt::Do(Spanned::new(
            Do {
                call: Spanned::new(call(&n.call, n.call.span())?, n.call.span()),
            },
            n.span(),
        )),
    })
}

fn unsupported<T>(tag: &str, span: Span) -> Lowered<T> {
    Err((
        span.start_line.into(),
        format!("a chat template stands alone: `{tag}` is not available"),
    ))
}

fn lower_macro<'a>(node: &Macro<'a>) -> Lowered<Macro<'a>> {
    Ok(Macro {
        name: node.name,
        args: node.args.iter().map(target).collect::<Lowered<_>>()?,
        defaults: exprs(&node.defaults)?,
        body: stmts(&node.body)?,
    })
}

/// An assignment's left side: names, attributes of a namespace, or a list of those.
fn target<'a>(node: &Expr<'a>) -> Lowered<Expr<'a>> {
    Ok(match node {
        Expr::Var(n) => Expr::Var(Spanned::new(Var { id: n.id }, n.span())),
        Expr::GetAttr(n) => Expr::GetAttr(Spanned::new(
            GetAttr {
                expr: target(&n.expr)?,
                name: n.name,
            },
            n.span(),
        )),
        Expr::List(n) => Expr::List(Spanned::new(
            List {
                items: n.items.iter().map(target).collect::<Lowered<_>>()?,
            },
            n.span(),
        )),
        other => expr(other)?,
    })
}

/// An assignment's right side. A part of an existing value is no deeper than that value, so only
/// new values are checked; what goes into a namespace is always checked, for cycles.
fn stored<'a>(target: &Expr<'a>, value: &Expr<'a>) -> Lowered<Expr<'a>> {
    let lowered = expr(value)?;
    let old = matches!(
        value,
        Expr::Var(_) | Expr::Const(_) | Expr::GetAttr(_) | Expr::GetItem(_)
    );
    Ok(match target {
        Expr::Var(_) if old => lowered,
        Expr::Var(_) => filter(names::STORE, lowered, vec![]),
        _ => filter(names::ATTRIBUTE, lowered, vec![]),
    })
}

fn exprs<'a>(list: &[Expr<'a>]) -> Lowered<Vec<Expr<'a>>> {
    list.iter().map(expr).collect()
}

fn optional<'a>(node: Option<&Expr<'a>>) -> Lowered<Option<Expr<'a>>> {
    node.map(expr).transpose()
}

fn expr<'a>(node: &Expr<'a>) -> Lowered<Expr<'a>> {
    Ok(match node {
        Expr::Var(n) => Expr::Var(Spanned::new(Var { id: n.id }, n.span())),
        Expr::Const(n) => constant(n.value.clone(), n.span()),
        Expr::Slice(n) => {
            let part = |part: &Option<Expr<'a>>| match part {
                Some(part) => expr(part),
                None => Ok(constant(Value::from(()), n.span())),
            };
            let args = vec![
                part(&n.start)?,
                part(&n.stop)?,
                part(&n.step)?,
                spelled(&n.expr),
            ];
            filter(names::SLICE, expr(&n.expr)?, args)
        }
        Expr::UnaryOp(n) => Expr::UnaryOp(Spanned::new(
            UnaryOp {
                op: match n.op {
                    UnaryOpKind::Not => UnaryOpKind::Not,
                    UnaryOpKind::Neg => UnaryOpKind::Neg,
                },
                expr: expr(&n.expr)?,
            },
            n.span(),
        )),
        Expr::BinOp(n) => match operator(n.op) {
            Some(symbol) => {
                let args = vec![expr(&n.right)?, spelled(&n.left), spelled(&n.right)];
                filter(symbol, expr(&n.left)?, args)
            }
            None => Expr::BinOp(Spanned::new(
                BinOp {
                    op: n.op,
                    left: expr(&n.left)?,
                    right: expr(&n.right)?,
                },
                n.span(),
            )),
        },
        Expr::Compare(n) => {
            let mut args = Vec::with_capacity(n.ops.len() * 2);
            for op in &n.ops {
                args.push(constant(Value::from(comparison(op.op)), n.span()));
                args.push(expr(&op.expr)?);
            }
            filter(names::CHAIN, expr(&n.expr)?, args)
        }
        Expr::IfExpr(n) => Expr::IfExpr(Spanned::new(
            IfExpr {
                test_expr: expr(&n.test_expr)?,
                true_expr: expr(&n.true_expr)?,
                false_expr: optional(n.false_expr.as_ref())?,
            },
            n.span(),
        )),
        Expr::Filter(n) => Expr::Filter(Spanned::new(
            Filter {
                name: n.name,
                expr: optional(n.expr.as_ref())?,
                args: call_args(&n.args)?,
            },
            n.span(),
        )),
        Expr::Test(n) => Expr::Test(Spanned::new(
            Test {
                name: n.name,
                expr: expr(&n.expr)?,
                args: call_args(&n.args)?,
            },
            n.span(),
        )),
        Expr::GetAttr(n) => Expr::GetAttr(Spanned::new(
            GetAttr {
                expr: expr(&n.expr)?,
                name: n.name,
            },
            n.span(),
        )),
        Expr::GetItem(n) => {
            let args = vec![expr(&n.subscript_expr)?, spelled(&n.expr)];
            filter(names::ITEM, expr(&n.expr)?, args)
        }
        Expr::Call(n) => Expr::Call(Spanned::new(call(n, n.span())?, n.span())),
        Expr::List(n) => Expr::List(Spanned::new(
            List {
                items: exprs(&n.items)?,
            },
            n.span(),
        )),
        Expr::Tuple(n) => Expr::Tuple(Spanned::new(
            Tuple {
                items: exprs(&n.items)?,
            },
            n.span(),
        )),
        Expr::Map(n) => {
            // A computed key is hashed whole, so it is paid for like a stored value.
            let key = |key: &Expr<'a>| match key {
                Expr::Const(_) => expr(key),
                _ => Ok(filter(names::STORE, expr(key)?, vec![])),
            };
            Expr::Map(Spanned::new(
                Map {
                    keys: n.keys.iter().map(key).collect::<Lowered<_>>()?,
                    values: exprs(&n.values)?,
                },
                n.span(),
            ))
        }
    })
}

fn call<'a>(node: &Call<'a>, span: Span) -> Lowered<Call<'a>> {
    let mut args = call_args(&node.args)?;
    let mut callee = expr(&node.expr)?;
    if let Expr::GetAttr(attr) = &node.expr {
        if attr.name == "cycle" && !matches!(args.first(), Some(CallArg::Pos(_))) {
            return Err((span.start_line.into(), "`cycle` needs an argument".into()));
        }
        if attr.name == "changed" {
            // The engine compares these with the last ones, however long they are.
            args = args.into_iter().map(store_arg).collect();
        }
        callee = Expr::GetAttr(Spanned::new(
            GetAttr {
                expr: expr(&attr.expr)?,
                name: attr.name,
            },
            attr.span(),
        ));
    }
    Ok(Call { expr: callee, args })
}

fn store_arg(arg: CallArg<'_>) -> CallArg<'_> {
    match arg {
        CallArg::Pos(value) => CallArg::Pos(filter(names::STORE, value, vec![])),
        other => other,
    }
}

fn call_args<'a>(args: &[CallArg<'a>]) -> Lowered<Vec<CallArg<'a>>> {
    let list = |node| Ok(filter(names::ITER, expr(node)?, vec![]));
    args.iter()
        .map(|arg| {
            Ok(match arg {
                CallArg::Pos(value) => CallArg::Pos(expr(value)?),
                CallArg::Kwarg(name, value) => CallArg::Kwarg(name, expr(value)?),
                CallArg::PosSplat(value) => CallArg::PosSplat(list(value)?),
                CallArg::KwargSplat(value) => {
                    CallArg::KwargSplat(filter(names::STORE, expr(value)?, vec![]))
                }
            })
        })
        .collect()
}

fn filter<'a>(name: &'static str, value: Expr<'a>, args: Vec<Expr<'a>>) -> Expr<'a> {
    let span = value.span();
    let args = args.into_iter().map(CallArg::Pos).collect();
    Expr::Filter(Spanned::new(
        Filter {
            name,
            expr: Some(value),
            args,
        },
        span,
    ))
}

fn constant<'a>(value: Value, span: Span) -> Expr<'a> {
    Expr::Const(Spanned::new(Const { value }, span))
}

/// What Jinja says if `node` turns out to be undefined, or None where nothing can be said.
fn spelled<'a>(node: &Expr<'a>) -> Expr<'a> {
    let message = match node {
        Expr::Var(n) => Some(format!("'{}' is undefined", n.id)),
        Expr::GetAttr(n) => Some(format!("'dict object' has no attribute '{}'", n.name)),
        Expr::GetItem(n) => match &n.subscript_expr {
            Expr::Const(key) if key.value.as_str().is_some() => {
                Some(format!("'dict object' has no attribute '{}'", key.value))
            }
            Expr::Const(key) => Some(format!("list object has no element {}", key.value)),
            _ => None,
        },
        _ => None,
    };
    constant(
        message.map_or_else(|| Value::from(()), Value::from),
        node.span(),
    )
}

fn operator(op: BinOpKind) -> Option<&'static str> {
    Some(match op {
        BinOpKind::Eq => "==",
        BinOpKind::Ne => "!=",
        BinOpKind::Lt => "<",
        BinOpKind::Lte => "<=",
        BinOpKind::Gt => ">",
        BinOpKind::Gte => ">=",
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        BinOpKind::Pow => "**",
        BinOpKind::Concat => "~",
        BinOpKind::In => "in",
        // These look at nothing but truth, and must not evaluate both sides.
        BinOpKind::ScAnd | BinOpKind::ScOr => return None,
    })
}

fn comparison(op: CompareOpKind) -> &'static str {
    match op {
        CompareOpKind::Eq => "==",
        CompareOpKind::Ne => "!=",
        CompareOpKind::Lt => "<",
        CompareOpKind::Lte => "<=",
        CompareOpKind::Gt => ">",
        CompareOpKind::Gte => ">=",
        CompareOpKind::In => "in",
        CompareOpKind::NotIn => "not in",
    }
}
