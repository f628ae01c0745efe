import{G as e,H as t,O as n,S as r,T as i,b as a,c as o,g as s,h as c,q as l,s as u}from"./session-booking.js";var d={duration:`Duration`,anyCoach:`Any coach`,payment:`Payment`,credit:(e,t)=>`${e}: ${t}`,bundle:`Bundle`,byCredits:{one:`Paid with a session of your bundle`,other:`Paid with {n} sessions of your bundle`},lateCredit:`A late cancellation uses up the session of your bundle.`,noPayment:`This course has nothing on sale for this duration.`,credits:{one:`{n} session left`,other:`{n} sessions left`}},f={duration:`Dauer`,anyCoach:`Alle Coaches`,payment:`Bezahlung`,credit:(e,t)=>`${e}: ${t}`,bundle:`Paket`,byCredits:{one:`Mit einer Sitzung Ihres Pakets bezahlt`,other:`Mit {n} Sitzungen Ihres Pakets bezahlt`},lateCredit:`Bei später Stornierung ist die Sitzung Ihres Pakets verbraucht.`,noPayment:`Für diese Dauer gibt es in diesem Kurs kein Angebot.`,credits:{one:`noch {n} Sitzung`,other:`noch {n} Sitzungen`}};function p(e){return n(`course`,{en:d,de:f},e)}async function m(e,t,n){let r={open:!0,signal:n},{mentorId:i}=t,a=t.courseId??``,[{course:s,products:c},l,d]=await Promise.all([e.get(`/courses/${a}/support-options`,{},r),u(e,`/mentors`,{courseId:a},r),u(e,`/listings`,{courseId:a},r)]),f=l.map(e=>o(e,d)).filter(({mentor:e})=>!i||e.id===i);return{course:s,products:c.filter(e=>e.active),offers:f}}function h(e){let t=e.flatMap(e=>e.listings.map(e=>e.durationMinutes));return[...new Set(t)].sort((e,t)=>e-t)}async function g({client:e,store:n},r,i){let a=(await u(e,`/bundles`,{},{signal:i}).catch(()=>[])).filter(({courseId:e,status:t})=>e===n.state.course?.id&&t===`active`);n.update({bundles:a});let o=_(n.state),s=r??t(n.state.payment);n.update({payment:o.find(e=>t(e)===s)??o[0]??null})}function _(e){let t=t=>t===null||t===e.durationMinutes,n=e.bundles.filter(n=>{let r=e.products.find(e=>e.id===n.productId);return!r||t(r.durationMinutes)}),r=e.products.filter(e=>e.kind===`single`&&t(e.durationMinutes));return[...n.map(e=>({kind:`bundle`,bundle:e})),...r.map(e=>({kind:`product`,product:e}))]}function v({course:e,payment:t}){let n=t?.kind===`bundle`?{bundlePurchaseId:t.bundle.id}:{productId:t?.product.id};return{courseId:e?.id,...n}}function y(e,t){return c(e,t,p(e).byCredits)}function b(t){let{words:n,state:r,flow:a}=t,o=p(t),c=h(r.offers);return l`<div class="columns" ?hidden=${r.slot!==null}>
    ${c.length>1?l`<label class="field"
          ><span>${o.duration}</span>
          <select data-value=${r.durationMinutes} @change=${e=>a.chooseDuration(Number(i(e)))}>
            ${c.map(e=>l`<option value=${e}>
                  ${s(t,e)}
                </option>`)}
          </select></label
        >`:e}
    ${r.offers.length>1?l`<label class="field"
          ><span>${n.card.coach}</span>
          <select data-value=${r.mentorId??``} @change=${e=>a.chooseMentor(i(e)||null)}>
            <option value="">${o.anyCoach}</option>
            ${r.offers.map(({mentor:e})=>l`<option value=${e.id}>${e.name}</option>`)}
          </select></label
        >`:e}
  </div>`}function x(e){return l`${S(e)} ${C(e)}`}function S({words:t,state:n,flow:r}){let a=n.offers.filter(({mentor:e})=>n.slot?.mentorProfileIds.includes(e.id));return a.length<2?e:l`<label class="field"
    ><span>${t.card.coach}</span>
    <select data-value=${n.slotMentorId} @change=${e=>r.chooseSlotMentor(i(e))}>
      ${a.map(({mentor:e})=>l`<option value=${e.id}>${e.name}</option>`)}
    </select></label
  >`}function C(n){let{state:r,flow:i}=n,o=p(n),s=_(r);return s.length?s.length===1?e:l`<fieldset class="offers">
    <legend>${o.payment}</legend>
    ${s.map(e=>l`<label class="offer"
        ><input
          type="radio"
          name="payment"
          .checked=${t(e)===t(r.payment)}
          @change=${()=>i.choosePayment(e)}
        />
        ${w(n,e)}</label
      >`)}
  </fieldset>`:a(`warning`,o.noPayment)}function w(e,t){let{state:n}=e,i=p(e);if(t.kind===`product`)return l`<span><b>${t.product.title}</b></span><b class="price">${r(e,t.product.price)}</b>`;let{productId:a,remainingSessions:o}=t.bundle,s=n.products.find(e=>e.id===a)?.title??i.bundle;return l`<span>${i.credit(s,c(e,o,i.credits))}</span>`}export{p as courseWords,y as creditsText,h as durationsOf,m as loadCourse,v as paymentOf,_ as paymentsFor,g as proposePayment,b as renderChoice,x as renderFields};